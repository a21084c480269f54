export { attackDataset, type AttackDatasetOptions, type AttackedDataset } from "./attack-dataset.ts";
export { checkAttack } from "./check.ts";
export * from "./evaluate.ts";
export * from "./interval.ts";
export { type AttackSpec, DEFAULT_ATTACKS, type EvaluationProgress, type Protocol } from "./protocol.ts";
export type * from "./result.ts";
export { idleShare } from "./summarize.ts";
export { warmUp } from "./warm-up.ts";
