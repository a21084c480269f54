import { adam, adamw } from "./adam.ts";
import { lion } from "./lion.ts";
import type { AnyOptimizer } from "./optimizer.ts";
import { type AnySchedule, constant, cosine, cyclic, oneCycle, step } from "./schedule.ts";
import { sgd } from "./sgd.ts";
import { sgdw } from "./sgdw.ts";

export * from "./optimizer.ts";
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
