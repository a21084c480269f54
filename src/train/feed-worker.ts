import { parentPort, workerData } from "node:worker_threads";
import { toWire, type WireError } from "../core/index.ts";
import { batchMaker, type BatchPlan, type BatchSource, type Rows } from "../data/index.ts";

/** What a worker is asked for. The array is filled and comes back; it is handed over, not copied. */
export interface MakeMessage {
  readonly id: number;
  readonly plans: readonly BatchPlan[];
  readonly x: Float32Array<ArrayBuffer>;
}
export type MadeMessage =
  | { readonly id: number; readonly x: Float32Array<ArrayBuffer>; readonly rows: Rows }
  | { readonly id: number; readonly error: WireError };

const port = parentPort!,
  make = batchMaker(workerData as BatchSource);

port.on("message", ({ id, plans, x }: MakeMessage) => {
  try {
    const rows = make(plans, x);
    port.postMessage({ id, x, rows } satisfies MadeMessage, [x.buffer]);
  } catch (error) {
    port.postMessage({ id, error: toWire(error) } satisfies MadeMessage);
  }
});
