import { adam, adamw } from "./adam.ts";
import type { AnyOptimizer } from "./optimizer.ts";
import { type AnySchedule, constant, cosine, cyclic, step } from "./schedule.ts";
import { sgd } from "./sgd.ts";

export * from "./optimizer.ts";
export { type AnySchedule, createSchedule, type Schedule, type ScheduleType } from "./schedule.ts";

/** Every optimizer by name. Command line, documentation and tests read this object. */
export const optimizers = { sgd, adam, adamw } satisfies Record<string, AnyOptimizer>;
export type OptimizerName = keyof typeof optimizers;

/** Every learning-rate schedule by name. */
export const schedules = { constant, step, cosine, cyclic } satisfies Record<string, AnySchedule>;
export type ScheduleName = keyof typeof schedules;
