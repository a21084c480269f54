export * from "./cores.ts";
export * from "./engine.ts";
export * from "./local.ts";
export * from "./lower/index.ts";
export { disableTelemetry, loadOrt } from "./ort.ts";
export * from "./program.ts";
export type { JobContext, JobFunction } from "./protocol.ts";
export { type Ceiling, measureCeilings } from "./ceiling.ts";
export { gpuStatus, type GpuStatus } from "./gpu.ts";
