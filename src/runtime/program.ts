/// <reference lib="esnext.disposable" preserve="true" />
import { type DType, formatShape, type Tensor, TemperError } from "../core/index.ts";
import { type Graph, type Shape, type ValueType } from "../graph/index.ts";
import type { Winograd } from "./lower/index.ts";

/** Where a program runs: `cpu` is ONNX Runtime, `reference` our own evaluator in float64, `cuda` an NVIDIA GPU, `webgpu` any GPU. */
export const DEVICES = ["cpu", "reference", "cuda", "webgpu"] as const;
export type DeviceName = (typeof DEVICES)[number];

/** Whether a device runs graphs inside of graphs (`repeat`, `scan`). */
export const hasLoops = (device: DeviceName = "cpu"): boolean => device === "cpu" || device === "cuda";

export interface CompileOptions {
  /** Keeps the lowered graph where `keepIn` says, if it has no weights inside: the next process need not lower it. Default true. */
  readonly cache?: boolean;
  readonly device?: DeviceName;
  /** Threads of one run; default: the physical cores of the machine. */
  readonly threads?: number;
  /**
   * Lets 3x3 convolutions of many channels use Winograd's algorithm: faster from batches of about 16 on, at ten times
   * the rounding error (2e-6 relative a layer). For gradients that are followed, never for verdicts. True: from
   * as many channels on as a short measurement chose for this machine (`temper doctor` shows it). Default false.
   */
  readonly winograd?: Winograd;
  /**
   * Bytes that the values of a run may take at their peak (`planMemory`): some are made twice, with the same bits, where
   * that frees most for its cost. For known shapes, on the CPU; what cannot be freed stays. Default 0: no limit.
   */
  readonly memory?: number;
}

export type Feeds = Readonly<Record<string, Tensor>>;

/**
 * A compiled graph. Programs of equal graphs share one session; it is freed when the last of them is disposed.
 * `using program = await compile(...)` disposes at the end of the block.
 */
export interface Program extends Disposable {
  readonly inputs: Readonly<Record<string, ValueType>>;
  readonly outputs: Readonly<Record<string, ValueType>>;
  /**
   * @param feeds  one tensor an input; any batch size
   * @param wanted  names of the outputs to fetch; default all (each output costs a copy)
   * @returns outputs by name; float tensors are float32, on the reference device float64
   * @throws TemperError `bad-shape` naming the input, `device` where the runtime fails, `disposed`
   */
  readonly run: (feeds: Feeds, wanted?: readonly string[]) => Promise<Record<string, Tensor>>;
  readonly dispose: () => void;
}

/** Something that compiles graphs: the engine's worker, or the thread itself inside a job. */
export interface Runtime {
  readonly compile: (graph: Graph, options?: CompileOptions) => Promise<Program>;
}

/** What crosses to the session's side, independent of graphs. */
export interface Signature {
  readonly inputs: Readonly<Record<string, ValueType>>;
  readonly outputs: Readonly<Record<string, ValueType>>;
}

export const signatureOf = (graph: Graph): Signature => ({
  inputs: Object.fromEntries(graph.inputs.map((v) => [v.node.name, { dtype: v.dtype, shape: v.shape }])),
  outputs: Object.fromEntries(Object.entries(graph.outputs).map(([k, { dtype, shape }]) => [k, { dtype, shape }])),
});

/** Compares feeds with the signature. @throws TemperError `bad-shape`, naming the input and what it expects */
export const checkFeeds = ({ inputs }: Signature, feeds: Feeds): void => {
  let batch: number | undefined;
  for (const name in inputs) {
    const expected = inputs[name]!,
      given = feeds[name];
    if (!given)
      throw new TemperError(
        "bad-shape",
        `Input "${name}" is missing; it wants ${formatType(expected.dtype, expected.shape)}.`,
      );
    const fits =
      given.dtype === expected.dtype &&
      given.shape.length === expected.shape.length &&
      given.shape.every((d, i) => {
        const e = expected.shape[i]!;
        if (e >= 0) return d === e;
        batch ??= d / -e;
        return d === -e * batch;
      });
    if (!fits)
      throw new TemperError(
        "bad-shape",
        `Input "${name}" wants ${formatType(expected.dtype, expected.shape)}, got ${formatType(given.dtype, given.shape)}${batch === undefined ? "" : ` at batch size ${batch}`}.`,
      );
  }
  for (const name in feeds)
    if (!inputs[name])
      throw new TemperError("bad-shape", `There is no input "${name}". Known: ${Object.keys(inputs).join(", ")}.`);
};
const formatType = (dtype: DType, shape: Shape): string => `${dtype}${formatShape(shape)}`;
