import { createRng, f32, i64, type OptionInput, sizeOf, type Tensor } from "temper/core";
import { type Array64, createGraph, type Graph, graphNodes, input, toArray64, type Value } from "temper/graph";
import type { ModelDefinition } from "temper/models";
import { batchNorm, conv2d, flatten, initialize, type Layer, linear, pure, sequential } from "temper/nn";
import { evaluateGraph, softplus, tanh } from "temper/ops";
import { type AnyRecipe, settingsOf, type StepProgram, trainOptions, trainStep } from "temper/train";

export const N = 4;
export const CLASSES = 3;
const SHAPE = [1, 3, 3] as const;

const network = (name: string, layer: Layer, inputShape: ModelDefinition["inputShape"] = SHAPE): ModelDefinition => ({
  name,
  inputShape,
  classes: CLASSES,
  ...layer,
});

/** Networks of a few numbers: linear, also of two pixels; smooth; with batch norm. */
export const linearNet = network("linear", sequential({ flatten, fc: linear(9, CLASSES) }));
export const planeNet = network("plane", sequential({ flatten, fc: linear(2, CLASSES) }), [1, 1, 2]);
export const smoothNet = network(
  "smooth",
  sequential({ flatten, fc1: linear(9, 6), tanh: pure(tanh), fc2: linear(6, CLASSES) }),
);
export const convNet = network(
  "conv",
  sequential({ conv1: conv2d(1, 2, 2), soft: pure((x) => softplus(x)), flatten, fc: linear(8, CLASSES) }),
);
export const normNet = network(
  "norm",
  sequential({ conv1: conv2d(1, 2, 2), bn: batchNorm(2), tanh: pure(tanh), flatten, fc: linear(8, CLASSES) }),
);

export type Arrays = Record<string, Array64>;
export interface StepCase {
  readonly model: ModelDefinition;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Beside plain descent with a rate of 1: a weight less its next value is its gradient. */
  readonly settings?: OptionInput<typeof trainOptions>;
  readonly scalars?: Readonly<Record<string, number>>;
  readonly mixed?: boolean;
  readonly weighted?: boolean;
}
export interface BuiltStep extends StepProgram {
  readonly feeds: Arrays;
  /** The step in float64, with some feeds replaced. */
  readonly run: (changes?: Arrays) => Arrays;
  /** Gradients of the weights by name. */
  readonly gradients: (changes?: Arrays) => Record<string, number[]>;
}

export const scalar = (value: number): Array64 => ({ dtype: "float32", shape: [], data: Float64Array.of(value) });
export const array = (shape: readonly number[], data: ArrayLike<number>): Array64 => ({
  dtype: "float32",
  shape,
  data: Float64Array.from(data),
});
export const labels = [0, 1, 2, 0];

const random = (seed: string, kind: "uniform" | "normal", shape: readonly number[]): Tensor => {
  const data = new Float32Array(sizeOf(shape)),
    rng = createRng(3).split(seed);
  if (kind === "uniform") rng.fillUniform(data, -1, 1);
  else rng.fillNormal(data, 0, 1);
  return f32(data, shape);
};

/** A training step on four images of nine pixels, and everything it is fed. */
export const stepOf = (
  recipe: AnyRecipe,
  { model, options = {}, settings = {}, scalars = {}, ...more }: StepCase,
): BuiltStep => {
  const all = settingsOf(recipe, { batchSize: N, epsilon: 0.1, momentum: 0, weightDecay: 0, ...settings });
  const program = trainStep({ model, recipe, options, settings: all, ...more });
  const given: Readonly<Record<string, number>> = {
    lr: 1,
    epsilon: all.epsilon,
    stepSize: all.stepSize || (all.relativeStep || 2.5 / Math.max(1, all.steps)) * all.epsilon,
    awp: all.awp,
    threshold: 0,
    progress: 0.5,
    slope: 0,
    ...scalars,
  };
  const x = random("x", "uniform", [N, ...model.inputShape]),
    { network: net, optimizer } = program;
  const shapes = Object.fromEntries(Object.entries(net.parameters).map(([name, { shape }]) => [name, shape]));
  const tensors: Record<string, Tensor> = {
    x: f32(
      (x.data as Float32Array).map((v) => 0.5 + 0.3 * v),
      x.shape,
    ),
    labels: i64(labels),
    partners: i64([1, 1, 0, 2]),
    share: f32([0.25, 0.5, 0.75, 1]),
    weights: f32([2, 0, 1, 0.5]),
    ...Object.fromEntries(program.draws.map(({ name, kind, shape }) => [name, random(name, kind, shape)])),
    ...Object.fromEntries(
      program.scalars.map((name) => [name, name === "steps" ? i64([all.steps], []) : f32([given[name]!], [])]),
    ),
    ...Object.fromEntries(
      Object.entries(program.carried).map(([name, shape]) => [name, random(name, "uniform", shape)]),
    ),
    ...initialize(net, createRng(5)),
    ...optimizer.init(shapes),
  };
  const feeds = Object.fromEntries(program.graph.inputs.map(({ node: { name } }) => [name, toArray64(tensors[name]!)]));
  const run = (changes: Arrays = {}): Arrays => evaluateGraph(program.graph, { ...feeds, ...changes });
  return {
    ...program,
    feeds,
    run,
    gradients: (changes = {}) => {
      const after = run(changes);
      return Object.fromEntries(
        Object.keys(shapes).map((name) => {
          const before = (changes[name] ?? feeds[name]!).data;
          return [name, Array.from(before, (v, i) => v - after[`next.${name}`]!.data[i]!)];
        }),
      );
    },
  };
};

/** What `of` gives, by central differences in every entry of some arrays. */
export const slopes = (
  feeds: Arrays,
  names: readonly string[],
  of: (changes: Arrays) => number,
): Record<string, number[]> => {
  const h = 1e-5;
  return Object.fromEntries(
    names.map((name) => {
      const { shape, data } = feeds[name]!;
      const moved = (i: number, by: number): number =>
        of({
          [name]: array(
            shape,
            data.map((v, j) => (i === j ? v + by : v)),
          ),
        });
      return [name, Array.from(data, (_, i) => (moved(i, h) - moved(i, -h)) / (2 * h))];
    }),
  );
};

/** Largest difference of two sets of arrays, relative to their largest entry. */
export const distance = (a: Record<string, number[]>, b: Record<string, number[]>): number => {
  const [p, q] = [Object.values(a).flat(), Object.keys(a).flatMap((name) => b[name]!)];
  const size = Math.max(...q.map(Math.abs), 1e-30);
  return Math.max(...p.map((v, i) => Math.abs(v - q[i]!))) / size;
};

export const value = (v: Array64 | undefined): number => v!.data[0]!;
export const numbersOf = (v: Array64 | undefined): number[] => Array.from(v!.data);

/** Nodes of an operator, those that nothing reads left out. */
export const countOps = (graph: Graph, name: string): number =>
  graphNodes(graph).filter(({ op }) => op.name === name).length;

export const names = (model: ModelDefinition): string[] => Object.keys(model.parameters);
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Values of a function of the network on given arrays. */
export const computed = (
  model: ModelDefinition,
  feeds: Arrays,
  f: (of: (x: Value) => Value, v: Record<string, Value>) => Value,
): number[] => {
  const inputs = Object.fromEntries(
    Object.entries(feeds)
      .filter(([name]) => !name.startsWith("state."))
      .map(([name, { dtype, shape }]) => [name, input(name, dtype, shape)]),
  );
  const y = f((x) => model.apply(inputs, x, { training: true }).y, inputs);
  return numbersOf(evaluateGraph(createGraph("f", Object.values(inputs), { y }), feeds)["y"]);
};
/** Scores of every example. */
export const logitsAt = (model: ModelDefinition, feeds: Arrays, x = feeds["x"]!): number[][] => {
  const flat = computed(model, { ...feeds, x }, (of, v) => of(v["x"]!));
  return labels.map((_, i) => flat.slice(CLASSES * i, CLASSES * (i + 1)));
};

/** Points that do not depend on the weights, so that differences of the loss are the gradient of the update. */
export const FIXED = { steps: 0, start: "uniform" } as const;
