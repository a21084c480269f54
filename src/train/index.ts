export * from "./config.ts";
export * from "./objective.ts";
export { hasRun, loadRun, type Manifest, readManifest, type RunState } from "./run-folder.ts";
export { decodeSafetensors, encodeSafetensors, type Safetensors } from "./safetensors.ts";
export { stepWithin, type StepRequest } from "./step-within.ts";
export { trainStepGraph } from "./step-graph.ts";
export { callLength, createSteps, type Steps } from "./steps.ts";
export type { TrainProgress } from "./job.ts";
export * from "./train.ts";
