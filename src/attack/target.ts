import { i64, sizeOf, type Tensor } from "../core/index.ts";
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
  /** n rows of d -> n rows of logits. */
  readonly logits: (x: Float32Array) => Promise<Float32Array>;
  readonly evaluate: (x: Float32Array, labels: Int32Array, loss: LossName) => Promise<Evaluation>;
}

export interface TargetOptions extends CompileOptions {
  /** Values of the graph's further inputs, asked for at each evaluation: weights that change while they are attacked. */
  readonly weights?: () => Feeds;
}

/** Compiles the classifier's forward pass now, and its gradients when they are first asked for. */
export const createTarget = async (
  runtime: Runtime,
  model: Graph,
  { weights = () => ({}), ...options }: TargetOptions = {},
): Promise<Target> => {
  const { x, classes } = classifierOf(model);
  const name = x.node.name,
    shape = x.shape.slice(1),
    d = sizeOf(shape);
  const outputName = Object.keys(model.outputs)[0]!;
  const batch = x.shape[0]! > 0 ? x.shape[0]! : undefined;
  const forward = await runtime.compile(
    createGraph(model.name, model.inputs, { [outputName]: model.outputs[outputName]! }),
    options,
  );
  const gradients = new Map<LossName, Promise<Program>>();
  const gradientOf = (loss: LossName): Promise<Program> => {
    let program = gradients.get(loss);
    if (!program) gradients.set(loss, (program = runtime.compile(gradientGraph(model, loss), options)));
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
  return {
    shape,
    d,
    classes,
    logits: async (rows) =>
      inChunks(rows, undefined, d, batch, async (part) => ({
        logits: floats((await run(forward, part))[outputName]!),
      })).then((r) => r["logits"]!),
    evaluate: async (rows, labels, loss) => {
      const program = await gradientOf(loss);
      const result = await inChunks(rows, labels, d, batch, async (part, partLabels) => {
        const { gradient, loss, logits } = await run(program, part, partLabels);
        return { gradient: floats(gradient!), loss: floats(loss!), logits: floats(logits!) };
      });
      return result as { gradient: Float32Array; loss: Float32Array; logits: Float32Array };
    },
    [Symbol.dispose]: () => {
      forward.dispose();
      for (const program of gradients.values()) program.then((p) => p.dispose()).catch(() => undefined);
    },
  };
};

const floats = ({ data }: Tensor): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);

/** Models with a fixed batch size are run in pieces of that size, the last one padded by its first row. */
const inChunks = async (
  rows: Float32Array,
  labels: Int32Array | undefined,
  d: number,
  batch: number | undefined,
  run: (part: Float32Array, labels: Int32Array | undefined) => Promise<Record<string, Float32Array>>,
): Promise<Record<string, Float32Array>> => {
  if (batch === undefined) return run(rows, labels);
  const n = rows.length / d,
    out: Record<string, Float32Array> = {};
  for (let start = 0; start < n; start += batch) {
    const count = Math.min(batch, n - start);
    const part = new Float32Array(batch * d),
      partLabels = new Int32Array(batch);
    part.set(rows.subarray(start * d, (start + count) * d));
    if (labels) partLabels.set(labels.subarray(start, start + count));
    const result = await run(part, labels && partLabels);
    for (const [key, values] of Object.entries(result)) {
      const width = values.length / batch;
      (out[key] ??= new Float32Array(n * width)).set(values.subarray(0, count * width), start * width);
    }
  }
  return out;
};
