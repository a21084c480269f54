export * from "./format.ts";
export type { Norm, Region } from "./norm.ts";
export * from "./threat.ts";
export * from "./in-graph.ts";
