/// <reference lib="esnext.disposable" preserve="true" />
import { formatShape, i64, scalar, sizeOf, type Tensor, TemperError } from "../core/index.ts";
import { createGraph, type Graph, withBatch } from "../graph/index.ts";
import type { LossName } from "../loss/index.ts";
import type { Ranges } from "../threat/index.ts";
import {
  type CompileOptions,
  cpuOptions,
  type Feeds,
  hasLoops,
  lowerForCpu,
  productsOf,
  type Program,
  type Runtime,
  type Winograd,
} from "../runtime/index.ts";
import type { Ascent, Evaluation } from "./attack.ts";
import { ascentGraph } from "./ascent-graph.ts";
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
  /** Where the target can: steps in one call. @throws as `logits` */
  readonly ascend?:
    | ((x: Float32Array, labels: Int32Array, loss: LossName, climb: Climb) => Promise<Ascent>)
    | undefined;
  /** Steps on n rows that take no longer than whoever waits for an answer bears: the same on every machine. */
  readonly stepsInCall: (n: number) => number;
}

/** Steps of length `length` along the sign of the gradient, cut to the ranges of the elements. */
export interface Climb {
  readonly length: number;
  readonly ranges: Ranges;
  /** Examples that are fooled go on counting: see {@link Ascent}. */
  readonly exhaustive: boolean;
  /** From 1. */
  readonly steps: number;
}

export interface TargetOptions extends CompileOptions {
  /**
   * Lets gradients use Winograd's convolutions (batches of 2 and more gain, wide networks most). Default true. The
   * logits that verdicts come from never do. Models of the fixed batch size 1 go without.
   */
  readonly winograd?: Winograd;
  /**
   * Most examples of one run; larger batches go in parts. Gradients of exactly so many use a program of their own, which
   * can do more where weights are fed. Default: all at once.
   */
  readonly rows?: number;
  /** Values of the graph's further inputs, asked for at each evaluation: weights that change while they are attacked. */
  readonly weights?: () => Feeds | Promise<Feeds>;
}

/** The graphs that a target of these losses runs, as they run on the CPU: for plans of their memory. */
export const targetGraphs = async (
  model: Graph,
  losses: readonly LossName[],
  { winograd = true, rows }: TargetOptions = {},
): Promise<readonly Graph[]> => {
  const lowered = async (graph: Graph, gains: Winograd): Promise<Graph> =>
    lowerForCpu(graph, await cpuOptions(graph, gains));
  const gains = model.inputs[0]?.shape[0] !== 1 && winograd;
  return Promise.all([
    lowered(forwardGraph(model), false),
    ...losses.map((loss) => lowered(ascentGraph(sized(model, rows), loss), gains)),
  ]);
};

const sized = (graph: Graph, rows: number | undefined): Graph => (rows ? withBatch(graph, rows) : graph);

/** The model with its first output alone. */
const forwardGraph = (model: Graph): Graph => {
  const [name, output] = Object.entries(model.outputs)[0]!;
  return createGraph(model.name, model.inputs, { [name]: output });
};

/** Compiles the classifier's forward pass now, and its gradients when they are first asked for. */
export const createTarget = async (
  runtime: Runtime,
  model: Graph,
  { weights = () => ({}), winograd = true, rows: most, device, threads }: TargetOptions = {},
): Promise<Target> => {
  const { x, classes } = classifierOf(model);
  const name = x.node.name,
    shape = x.shape.slice(1),
    d = sizeOf(shape);
  const outputName = Object.keys(model.outputs)[0]!;
  const batch = x.shape[0]! > 0 ? x.shape[0]! : undefined;
  const options: CompileOptions = { ...(device && { device }), ...(threads && { threads }) };
  const forward = await runtime.compile(forwardGraph(model), options);
  const gradientOptions = { ...options, winograd: batch !== 1 && winograd };
  const loops = hasLoops(device);
  const gradients = new Map<string, Promise<Program>>();
  // One program for gradients and for whole steps: the weights are there once, and a step costs next to nothing.
  const gradientOf = (loss: LossName, count: number): Promise<Program> => {
    const known = count === most ? count : undefined,
      key = `${loss}/${known}`;
    const build = loops ? ascentGraph : gradientGraph;
    const program = gradients.get(key) ?? runtime.compile(build(sized(model, known), loss), gradientOptions);
    gradients.set(key, program);
    return program;
  };
  const differentiate = async <K extends string>(
    loss: LossName,
    wanted: readonly K[],
    x: Float32Array,
    labels: Int32Array,
    climb: Climb,
  ): Promise<Record<K, Float32Array>> => {
    if (labels.length * d !== x.length)
      throw new TemperError(
        "bad-shape",
        `${model.name}: ${x.length} numbers in examples ${formatShape(shape)} need a label for each example, got ${labels.length} labels.`,
      );
    const program = await gradientOf(loss, sizeFor(labels.length));
    const [labelsName, low, high, step, exhaustive, steps] = Object.keys(program.inputs).slice(model.inputs.length);
    const rows = { [name]: x, [labelsName!]: labels };
    if (!loops) return run(program, wanted, rows);
    return run(
      program,
      wanted,
      { ...rows, [low!]: climb.ranges.low, [high!]: climb.ranges.high },
      {
        [step!]: scalar(climb.length),
        [exhaustive!]: { dtype: "bool", shape: [], data: Uint8Array.of(climb.exhaustive ? 1 : 0) },
        [steps!]: i64([climb.steps], []),
      },
    );
  };
  const sizeFor = (n: number): number => batch ?? Math.min(n, most ?? n);
  const ascend: Target["ascend"] = async (x, labels, loss, climb) => {
    const wanted = climb.steps === 1 ? ASCENT : ([...ASCENT, "best"] as const); // a single point is the best
    const ascent: Partial<Ascent> = await differentiate(loss, wanted, x, labels, climb);
    return { best: x, ...ascent } as Ascent;
  };
  const products = 2 * (productsOf(model, 1) / (batch ?? 1)); // of a gradient
  /** Rows of inputs to rows of outputs. */
  const run = async <K extends string>(
    program: Program,
    wanted: readonly K[],
    rows: Readonly<Record<string, Rows>>,
    scalars: Feeds = {},
  ): Promise<Record<K, Float32Array>> => {
    const n = rows[name]!.length / d;
    if (n < 1 || !Number.isInteger(n))
      throw new TemperError(
        "bad-shape",
        `${model.name}: wants whole examples ${formatShape(shape)}, got ${rows[name]!.length} numbers.`,
      );
    return inChunks(n, sizeFor(n), rows, async (part, count) => {
      const feeds = Object.entries(part).map(([key, data]) => [
        key,
        data instanceof Int32Array ? i64(Array.from(data)) : { dtype: "float32", shape: [count, ...shape], data },
      ]);
      const outputs = await program.run(
        { ...Object.fromEntries(feeds), ...scalars, ...(await weights()) } as Feeds,
        wanted,
      );
      return Object.fromEntries(wanted.map((key) => [key, floats(outputs[key]!)])) as Record<K, Float32Array>;
    });
  };
  return {
    shape,
    d,
    classes,
    logits: async (rows) => (await run(forward, [outputName], { [name]: rows }))[outputName]!,
    evaluate: (x, labels, loss) =>
      differentiate(loss, ["gradient", "loss", "logits"], x, labels, {
        length: 0,
        ranges: { low: x, high: x },
        exhaustive: true,
        steps: 1,
      }),
    ascend: loops ? ascend : undefined,
    stepsInCall: (n) => Math.max(1, Math.min(MOST_STEPS, Math.floor(CALL_PRODUCTS / (n * products)))),
    [Symbol.dispose]: () => {
      forward.dispose();
      for (const program of gradients.values()) program.then((p) => p.dispose()).catch(() => undefined);
    },
  };
};

/** Products that a call of many steps may take: up to a second. Counted, not timed: a seed gives the same bits. */
const CALL_PRODUCTS = 1e11;
const MOST_STEPS = 64;

const ASCENT = ["next", "margin", "fools", "asked", "slope"] as const;

const floats = ({ data }: Tensor): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);

type Rows = Float32Array | Int32Array;

/** Models with a fixed batch size are run in pieces of that size, the last one filled up with zeros. */
const inChunks = async <K extends string>(
  n: number,
  size: number,
  rows: Readonly<Record<string, Rows>>,
  run: (rows: Readonly<Record<string, Rows>>, count: number) => Promise<Record<K, Float32Array>>,
): Promise<Record<K, Float32Array>> => {
  if (n === size) return run(rows, n);
  const out: Partial<Record<K, Float32Array>> = {};
  for (let start = 0; start < n; start += size) {
    const count = Math.min(size, n - start);
    const parts = Object.entries(rows).map(([key, values]) => {
      const width = values.length / n,
        part = new (values.constructor as new (length: number) => Rows)(size * width);
      part.set(values.subarray(start * width, (start + count) * width));
      return [key, part] as const;
    });
    const result = await run(Object.fromEntries(parts), size);
    for (const key in result) {
      const values = result[key],
        width = values.length / size;
      (out[key] ??= new Float32Array(n * width)).set(values.subarray(0, count * width), start * width);
    }
  }
  return out as Record<K, Float32Array>;
};
