export * from "./fixtures.ts";
export * from "./measures.ts";
export * from "./reproduction.ts";
export * from "./run.ts";
export * from "./systems/index.ts";
