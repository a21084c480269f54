import { adam, adamw } from "./adam.ts";
import { flatOptions } from "./flat.ts";
import { lion } from "./lion.ts";
import type { AnyOptimizer } from "./optimizer.ts";
import { type AnySchedule, constant, cosine, cyclic, oneCycle, step } from "./schedule.ts";
import { sgd } from "./sgd.ts";
import { sgdw } from "./sgdw.ts";

export * from "./averaging.ts";
export { clipByGlobalNorm } from "./clip.ts";
export * from "./groups.ts";
export * from "./optimizer.ts";
export { reestimate, statisticsGraph } from "./statistics.ts";
export { type AnySchedule, createSchedule, type Schedule, type ScheduleType } from "./schedule.ts";

/** Every optimizer by name. Command line, documentation and tests read this object. */
export const optimizers = { sgd, sgdw, adam, adamw, lion } satisfies Record<string, AnyOptimizer>;
export type OptimizerName = keyof typeof optimizers;

/** Every learning-rate schedule by name. */
export const schedules = { constant, step, cosine, cyclic, "one-cycle": oneCycle } satisfies Record<
  string,
  AnySchedule
>;
export type ScheduleName = keyof typeof schedules;

/** Options of all optimizers, and of all schedules, flat, for command lines and files. */
export const flatOptimizer = flatOptions("optimizer", optimizers, { epsilon: "optimizerEpsilon" }); // a radius everywhere else
export const flatSchedule = flatOptions("schedule", schedules, { start: "startFactor", end: "endFactor" }); // of the inner attack
