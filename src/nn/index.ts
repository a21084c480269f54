export * from "./batch-norm.ts";
export * from "./conv.ts";
export * from "./init.ts";
export * from "./layer.ts";
export * from "./linear.ts";
export * from "./shape.ts";
