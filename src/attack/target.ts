/// <reference lib="esnext.disposable" preserve="true" />
import { formatShape, i64, sizeOf, type Tensor, TemperError } from "../core/index.ts";
import { createGraph, type Graph } from "../graph/index.ts";
import type { LossName } from "../loss/index.ts";
import type { CompileOptions, Feeds, Program, Runtime } from "../runtime/index.ts";
import type { Evaluation } from "./attack.ts";
import { classifierOf, gradientGraph } from "./gradient-graph.ts";

/** A classifier as attacks see it: logits, and gradients of losses of them. */
export interface Target extends Disposable {
  /** Shape of one example, and its size. */
  readonly shape: readonly number[];
  readonly d: number;
  readonly classes: number;
  /** n rows of d -> n rows of logits. @throws TemperError `bad-shape` where the rows are not whole */
  readonly logits: (x: Float32Array) => Promise<Float32Array>;
  /** Logits, losses and their gradients at n rows of d. @throws as `logits` */
  readonly evaluate: (x: Float32Array, labels: Int32Array, loss: LossName) => Promise<Evaluation>;
}

export interface TargetOptions extends CompileOptions {
  /**
   * Lets gradients use Winograd's convolutions (batches of 2 and more gain, wide networks most). Default true. The
   * logits that verdicts come from never do. Models of the fixed batch size 1 go without.
   */
  readonly winograd?: boolean;
  /** Values of the graph's further inputs, asked for at each evaluation: weights that change while they are attacked. */
  readonly weights?: () => Feeds;
}

/** Compiles the classifier's forward pass now, and its gradients when they are first asked for. */
export const createTarget = async (
  runtime: Runtime,
  model: Graph,
  { weights = () => ({}), winograd = true, device, threads }: TargetOptions = {},
): Promise<Target> => {
  const { x, classes } = classifierOf(model);
  const name = x.node.name,
    shape = x.shape.slice(1),
    d = sizeOf(shape);
  const outputName = Object.keys(model.outputs)[0]!;
  const batch = x.shape[0]! > 0 ? x.shape[0]! : undefined;
  const options: CompileOptions = { ...(device && { device }), ...(threads && { threads }) };
  const forward = await runtime.compile(
    createGraph(model.name, model.inputs, { [outputName]: model.outputs[outputName]! }),
    options,
  );
  const gradientOptions = { ...options, winograd: winograd && batch !== 1 };
  const gradients = new Map<LossName, Promise<Program>>();
  const gradientOf = (loss: LossName): Promise<Program> => {
    let program = gradients.get(loss);
    if (!program) gradients.set(loss, (program = runtime.compile(gradientGraph(model, loss), gradientOptions)));
    return program;
  };
  const feed = (rows: Float32Array, n: number): Tensor => ({
    dtype: "float32",
    shape: [n, ...shape],
    data: rows as Float32Array<ArrayBuffer>,
  });
  const run = async (program: Program, rows: Float32Array, labels?: Int32Array): Promise<Record<string, Tensor>> => {
    const n = rows.length / d;
    return program.run({ [name]: feed(rows, n), ...(labels && { labels: i64(Array.from(labels)) }), ...weights() });
  };
  const chunked = <K extends string>(
    rows: Float32Array,
    labels: Int32Array | undefined,
    part: (rows: Float32Array, labels: Int32Array | undefined) => Promise<Readonly<Record<K, Float32Array>>>,
  ): Promise<Readonly<Record<K, Float32Array>>> => {
    const n = rows.length / d;
    if (n < 1 || !Number.isInteger(n) || (labels && labels.length !== n))
      throw new TemperError(
        "bad-shape",
        `${model.name}: wants whole examples ${formatShape(shape)} and a label for each, got ${rows.length} numbers and ${labels?.length ?? "no"} labels.`,
      );
    return batch === undefined ? part(rows, labels) : inChunks(rows, labels, d, batch, part);
  };
  return {
    shape,
    d,
    classes,
    logits: async (rows) =>
      (await chunked(rows, undefined, async (part) => ({ logits: floats((await run(forward, part))[outputName]!) })))
        .logits,
    evaluate: async (rows, labels, loss) => {
      const program = await gradientOf(loss);
      return chunked(rows, labels, async (part, partLabels) => {
        const { gradient, loss, logits } = await run(program, part, partLabels);
        return { gradient: floats(gradient!), loss: floats(loss!), logits: floats(logits!) };
      });
    },
    [Symbol.dispose]: () => {
      forward.dispose();
      for (const program of gradients.values()) program.then((p) => p.dispose()).catch(() => undefined);
    },
  };
};

const floats = ({ data }: Tensor): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);

/** Models with a fixed batch size are run in pieces of that size, the last one filled up with zeros. */
const inChunks = async <K extends string>(
  rows: Float32Array,
  labels: Int32Array | undefined,
  d: number,
  batch: number,
  run: (rows: Float32Array, labels: Int32Array | undefined) => Promise<Readonly<Record<K, Float32Array>>>,
): Promise<Readonly<Record<K, Float32Array>>> => {
  const n = rows.length / d,
    out: Partial<Record<K, Float32Array>> = {};
  for (let start = 0; start < n; start += batch) {
    const count = Math.min(batch, n - start);
    const part = new Float32Array(batch * d),
      partLabels = new Int32Array(batch);
    part.set(rows.subarray(start * d, (start + count) * d));
    if (labels) partLabels.set(labels.subarray(start, start + count));
    const result = await run(part, labels && partLabels);
    for (const key in result) {
      const values = result[key],
        width = values.length / batch;
      (out[key] ??= new Float32Array(n * width)).set(values.subarray(0, count * width), start * width);
    }
  }
  return out as Record<K, Float32Array>;
};
