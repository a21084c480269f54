export * from "./fixtures.ts";
export * from "./reproduction.ts";
export * from "./run.ts";
export * from "./systems/index.ts";
