export * from "./algebra.ts";
export * from "./attribute.ts";
export * from "./graph.ts";
export * from "./passes.ts";
export * from "./print.ts";
export * from "./shape.ts";
export * from "./trace.ts";
export * from "./value.ts";
