import { attacks, type AttackResult, createTarget, runAttack, type Target } from "../attack/index.ts";
import { lookup } from "../core/index.ts";
import { decodeModel } from "../onnx/index.ts";
import { bindParameters, importModel } from "../ops/index.ts";
import type { DeviceName, JobContext, Winograd } from "../runtime/index.ts";
import { threat as createThreat, type NormName } from "../threat/index.ts";
import type { AttackSpec } from "./protocol.ts";

/** One attack on a batch of examples, in a form that goes to other threads. */
export interface Part {
  readonly spec: AttackSpec;
  readonly norm: NormName;
  readonly epsilon: number;
  readonly box: readonly [number, number];
  readonly x: Float32Array;
  readonly labels: Int32Array;
  /** Numbers of the examples in their data set. */
  readonly ids: Int32Array;
  readonly seed: number;
}

export const attackPart = (
  target: Target,
  { spec: { name, options = {} }, norm, epsilon, box, ...batch }: Part,
  cancelled: () => boolean,
): Promise<AttackResult> =>
  runAttack(target, {
    attack: lookup(attacks, name, "attack"),
    options,
    threat: createThreat({ norm, epsilon, box: [...box] }),
    cancelled,
    ...batch,
  });

export interface LaneModel {
  readonly model: Uint8Array;
  readonly threads: number;
  readonly device: DeviceName;
  readonly winograd: Winograd;
}
/** The model of this thread's parts. */
let opened: Target | undefined;

/** Runs in a lane's thread, once. */
export const openLane = async ({ runtime }: JobContext, { model, ...options }: LaneModel): Promise<void> => {
  opened = await createTarget(runtime, bindParameters(importModel(decodeModel(model))), options);
};

export interface PartResult {
  readonly result: AttackResult;
  /** Of the thread so far. */
  readonly busySeconds: number;
}
/** Runs in a lane's thread. */
export const partJob = async ({ busySeconds, cancelled }: JobContext, part: Part): Promise<PartResult> => ({
  result: await attackPart(opened!, part, cancelled),
  busySeconds: busySeconds(),
});
