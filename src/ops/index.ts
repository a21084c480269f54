export * from "./arithmetic.ts";
export * from "./broadcast.ts";
export * from "./reshape.ts";
export * from "./evaluate.ts";
export * from "./registry.ts";
