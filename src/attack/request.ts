import type { Threat } from "../threat/index.ts";
import type { AnyAttack } from "./attack.ts";

/** One batch to attack. */
export interface AttackRequest {
  readonly attack: AnyAttack;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly threat: Threat;
  /** Clean inputs, n rows in the threat's box. Misclassified ones count as broken as soon as they are asked about. */
  readonly x: Float32Array;
  readonly labels: Int32Array;
  /** Number of each example in its data set: names its random stream. Default 0 .. n-1. */
  readonly ids?: Int32Array;
  readonly seed: number;
  /** Keep attacking examples that are already broken, for the strongest example instead of the first. */
  readonly exhaustive?: boolean;
  readonly cancelled?: (() => boolean) | undefined;
  /** Called after each step with the share of the work that is done. */
  readonly onStep?: ((done: number, total: number) => void) | undefined;
}

/** Row i belongs to example i of the request. */
export interface AttackResult {
  /**
   * Points of the set. Broken examples: the first misclassified one, or with `exhaustive` the one of largest margin
   * (largest wrong score minus the label's; within 1 %, one that the forward pass had judged anyway). Others: the one of
   * largest margin that was seen.
   */
  readonly adv: Float32Array;
  readonly broken: Uint8Array;
  readonly gradientEvaluations: Int32Array;
  readonly forwardEvaluations: Int32Array;
  /** Sum of the absolute gradient at the first step that had one: zero means that the attack had nothing to follow. */
  readonly slope: Float32Array;
  /** False where the caller stopped the attack early. */
  readonly complete: boolean;
}
