import type { EvaluationResult } from "temper/evaluate";
import type { DeviceName } from "temper/runtime";

export interface Task {
  readonly model: Uint8Array;
  readonly pixels: Float32Array;
  readonly labels: readonly number[];
  readonly shape: readonly [number, number, number];
  readonly epsilon: number;
  readonly device: DeviceName;
}
export interface Measured {
  readonly gradient: readonly number[];
  readonly attacked: Readonly<
    Record<string, { readonly broken: readonly number[]; readonly predictions: readonly number[] }>
  >;
  readonly evaluation: {
    readonly cleanAccuracy: number;
    readonly robustAccuracy: number;
    readonly perClass: EvaluationResult["perClass"];
  };
  readonly phases: readonly string[];
  readonly machine: EvaluationResult["machine"];
  readonly run: EvaluationResult["run"];
}
export declare const measure: (task: Task) => Promise<Measured>;
