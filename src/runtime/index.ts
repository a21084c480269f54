export { blockSize } from "./block.ts";
export { batchWithin, peakWithin, residentBytes, tooLittle } from "./budget.ts";
export { keepIn, keptModels, keptRoot } from "./kept.ts";
export * from "./cores.ts";
export * from "./engine.ts";
export * from "./local.ts";
export {
  cpuPasses,
  MIN_CHANNELS,
  isPackable,
  lowerForCpu,
  loweringSteps,
  type LowerOptions,
  type LoweringStep,
  packEnds,
  packTensor,
  type Pass,
  type Winograd,
  unpackTensor,
} from "./lower/index.ts";
export { bytesOf, executionOrder, type Lifetime, type MemoryPlan, planMemory } from "./memory.ts";
export { disableTelemetry, loadOrt, onnxruntimeVersion } from "./ort.ts";
export { keptWinogradChoice, type WinogradChoice, winogradChoice, type WinogradTimes } from "./probe.ts";
export * from "./profile.ts";
export * from "./program.ts";
export type { JobContext, JobFunction } from "./protocol.ts";
export { type Ceiling, measureCeilings } from "./ceiling.ts";
export { writtenForWebgpu } from "./webgpu.ts";
export { gpuStatus, type GpuStatus } from "./gpu.ts";
export { productsOf, productsOfNode } from "./work.ts";
