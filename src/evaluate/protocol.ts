import type { NormName } from "../threat/index.ts";

/** One attack of the cascade, by name, with its options. */
export interface AttackSpec {
  readonly name: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** The cascade where nothing else is said: gradient ascent with fixed steps, then without a step size to tune. */
export const DEFAULT_ATTACKS: readonly AttackSpec[] = [
  { name: "pgd", options: { steps: 40 } },
  { name: "apgd-ce", options: { steps: 100 } },
];

export interface Protocol {
  readonly norm: NormName;
  readonly epsilon: number;
  /** Further radii for the curve; they see the first `sweepCount` examples. */
  readonly sweep: readonly number[];
  readonly sweepCount: number;
  readonly attacks: readonly AttackSpec[];
  readonly seed: number;
  /** Examples a batch. */
  readonly batch: number;
  /** Examples kept for the pictures. */
  readonly pictures: number;
}

/** What the loop sends while it works. */
export interface EvaluationProgress {
  readonly phase: "clean" | "attack";
  readonly attack?: string;
  readonly epsilon?: number;
  /** Examples done and to do in this phase. */
  readonly done: number;
  readonly total: number;
  /** Share that is right (clean) or still standing (attack) so far. */
  readonly accuracy: number;
}
