export { blockSize } from "./block.ts";
export * from "./cores.ts";
export * from "./engine.ts";
export * from "./local.ts";
export {
  cpuPasses,
  lowerForCpu,
  loweringSteps,
  type LowerOptions,
  type LoweringStep,
  type Pass,
} from "./lower/index.ts";
export { disableTelemetry, loadOrt } from "./ort.ts";
export * from "./program.ts";
export type { JobContext, JobFunction } from "./protocol.ts";
export { type Ceiling, measureCeilings } from "./ceiling.ts";
export { gpuStatus, type GpuStatus } from "./gpu.ts";
