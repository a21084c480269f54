import { type Arbitrary, array, boolean, constantFrom, nat, record, tuple } from "fast-check";
import { grad } from "temper/autodiff";
import { createRng, f32, isTemperError, sizeOf } from "temper/core";
import { type Array64, BATCH, concretize, constant, createGraph, type Graph, input, type Value } from "temper/graph";
import { add, mul, reduceSum, scan, sigmoid } from "temper/ops";
import { type StepName, steps } from "./random-steps.ts";

/** A graph as instructions: each names a step, and numbers that choose among what there is. */
export interface Recipe {
  readonly image: readonly [channels: number, height: number, width: number];
  readonly batch: number;
  /** Whether the graph is for this batch size only. */
  readonly fixed: boolean;
  /** Whether the graph is the body of a loop of two rounds; only those of one batch size can be. */
  readonly loop: boolean;
  readonly steps: readonly (readonly [StepName, readonly number[]])[];
}

const names = Object.keys(steps) as StepName[];
// Convolutions are what most passes are about.
const weighted: StepName[] = [...names, "conv", "conv3x3", "conv3x3", "conv3x3", "strided", "strided", "residual"];

const SIZES = [4, 8, 5, 8, 2, 8, 3, 6, 7, 9];

/** Recipes, and how a failing one becomes smaller: fewer steps, smaller numbers. */
export const recipes = (mostSteps: number): Arbitrary<Recipe> =>
  record({
    image: tuple(constantFrom(3, 16, 1, 16, 32, 24, 16), constantFrom(...SIZES), constantFrom(...SIZES)),
    batch: constantFrom(2, 16, 1, 16, 3, 16),
    fixed: boolean(),
    loop: constantFrom(false, false, false, true),
    steps: array(tuple(constantFrom(...weighted), array(nat(1 << 16), { minLength: 12, maxLength: 12 })), {
      minLength: 1,
      maxLength: mostSteps,
      size: "max",
    }),
  });

/** Images of more numbers an example, and weights of more, are left out: the references take their time. */
const MOST = 4500;
const MOST_WEIGHTS = 10_000;

/** Outputs `y0`, `y1`, ... and the gradients of a loss of them by every input. */
export const graphOf = (recipe: Recipe): Graph => {
  const batch = recipe.fixed ? recipe.batch : BATCH,
    first = input("x", "float32", [batch, ...recipe.image]),
    second = input("z", "float32", [batch, ...recipe.image]);
  const inputs = [first, second],
    images: Value[] = [first, second];
  for (const [name, picks] of recipe.steps) {
    let at = 0;
    const pick = (most: number): number => picks[at++ % picks.length]! % most;
    // The newest most of the time, so that graphs are deep.
    const image = (): Value => images[Math.max(0, images.length - 1 - Math.floor(pick(6) / 2))]!;
    const fresh: Value[] = [];
    const weights = (...shape: number[]): Value => {
      if (sizeOf(shape) > MOST_WEIGHTS) throw new RangeError("weights");
      const kind = pick(5),
        known = inputs.find((v) => v.shape.join() === shape.join());
      if (kind === 0) return constant(f32(draw(picks[0]!, shape), shape));
      if (kind === 1 && known) return known;
      fresh.push(input(`w${inputs.length + fresh.length - 2}`, "float32", shape));
      return fresh.at(-1)!;
    };
    try {
      const x = image(),
        same = images.filter((v) => v.shape.join() === x.shape.join()),
        other = pick(4) ? same[pick(same.length)]! : image();
      const made = steps[name]({ x, other, pick, one: (list) => list[pick(list.length)]!, weights, batch });
      if (made.some(({ shape }) => Math.abs(sizeOf(shape)) > MOST || shape.some((d) => d === 0))) continue;
      images.push(...made);
      inputs.push(...fresh);
    } catch (error) {
      if (!(error instanceof RangeError || (isTemperError(error) && error.code === "bad-shape"))) throw error;
    }
  }
  const outputs = images.slice(-2).filter((v) => v !== first && v !== second);
  if (outputs.length === 0) outputs.push(mul(first, second));
  const sums = outputs.map((y) => reduceSum(mul(y, sigmoid(y)), [0, 1, 2, 3]));
  const gradients = grad(sums.reduce(add), inputs);
  const graph = createGraph("random", inputs, {
    ...Object.fromEntries(outputs.map((y, i) => [`y${i}`, y])),
    ...Object.fromEntries(inputs.map((v, i) => [`d.${v.node.name}`, gradients[i]!])),
  });
  return recipe.loop && recipe.fixed ? looped(graph) : graph;
};

/** The graph once for each of two stacked inputs. */
const looped = (body: Graph): Graph => {
  const stacks = body.inputs.map(({ node, dtype, shape }) => input(node.name, dtype, [2, ...shape]));
  const names = Object.keys(body.outputs),
    outputs = scan(body, [], stacks);
  return createGraph("loop", stacks, Object.fromEntries(names.map((name, i) => [name, outputs[i]!])));
};

/** Numbers that float32 holds, around 0, smaller where more of them are added up. */
const draw = (seed: number, shape: readonly number[]): Float32Array<ArrayBuffer> => {
  const rng = createRng(seed),
    spread = shape.length > 1 ? 3 / Math.sqrt(sizeOf(shape.slice(1))) : 2;
  return Float32Array.from({ length: sizeOf(shape) }, () => spread * (rng.uniform() - 0.5));
};

export const feedsOf = (graph: Graph, batch: number, seed: number): Record<string, Array64> =>
  Object.fromEntries(
    graph.inputs.map(({ node, shape, dtype }, i) => {
      const sizes = concretize(shape, batch),
        image = i < 2;
      const data = image ? draw(1000 * seed + i, [sizeOf(sizes)]) : draw(1000 * seed + i, sizes);
      return [node.name, { dtype, shape: sizes, data: Float64Array.from(data) }];
    }),
  );
