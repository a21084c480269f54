export { blockSize } from "./block.ts";
export { batchWithin, residentBytes, tooLittle } from "./budget.ts";
export * from "./cores.ts";
export * from "./engine.ts";
export * from "./local.ts";
export {
  cpuPasses,
  isPackable,
  lowerForCpu,
  loweringSteps,
  type LowerOptions,
  type LoweringStep,
  packEnds,
  packTensor,
  type Pass,
  unpackTensor,
} from "./lower/index.ts";
export { bytesOf, executionOrder, type Lifetime, type MemoryPlan, planMemory } from "./memory.ts";
export { disableTelemetry, loadOrt } from "./ort.ts";
export * from "./program.ts";
export type { JobContext, JobFunction } from "./protocol.ts";
export { type Ceiling, measureCeilings } from "./ceiling.ts";
export { writtenForWebgpu } from "./webgpu.ts";
export { gpuStatus, type GpuStatus } from "./gpu.ts";
