export * from "./interval.ts";
export type * from "./result.ts";
