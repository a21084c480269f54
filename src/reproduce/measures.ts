import { type Around, ascendWithin, type Draw, type Raised, rules } from "../attack/index.ts";
import { createRng, i64, type Tensor } from "../core/index.ts";
import { batchBetween, countOf, type Dataset } from "../data/index.ts";
import { apply, BATCH, createGraph, type Graph, input, type Value } from "../graph/index.ts";
import { loadClassifier } from "../models/index.ts";
import { mul, scalarLike } from "../ops/index.ts";
import { createLocalRuntime, type Feeds } from "../runtime/index.ts";
import { graphNorms } from "../threat/index.ts";
import type { Trained } from "./reproduction.ts";

/** What a measure is traced from: a trained network, examples, and the set around them. */
export interface Traced extends Around {
  /** From `x`, the examples, to their scores. */
  readonly network: Graph;
  readonly labels: Value;
  /** Scores at any points. */
  readonly forward: (points: Value) => Value;
  readonly project: (points: Value) => Value;
  readonly draw: Draw;
}

interface On {
  readonly modelPath: string;
  readonly images: Dataset;
  /** Radius in l-inf. */
  readonly epsilon: number;
  /** Of what is drawn. */
  readonly seed: number;
}

/** Numbers of every example, by name, of a graph over a trained network. */
export const rowsOf = async <K extends string>(
  { modelPath, images, epsilon, seed }: On,
  trace: (at: Traced) => Readonly<Record<K, Value>>,
): Promise<Record<K, readonly number[]>> => {
  const { graph: network } = await loadClassifier(modelPath, images.shape),
    x = network.inputs[0]!,
    labels = input("labels", "int64", [BATCH]),
    batch = batchBetween(images, 0, countOf(images)),
    rng = createRng(seed).split("measures");
  const draws: Value[] = [],
    drawn: Record<string, Tensor> = {};
  const draw: Draw = (kind, like, shape = like.shape) => {
    const name = `draw.${draws.length}`,
      sizes = [countOf(images), ...shape.slice(1)],
      data = new Float32Array(sizes.reduce((a, b) => a * b));
    if (kind === "uniform") rng.fillUniform(data, -1, 1);
    else rng.fillNormal(data, 0, 1);
    drawn[name] = { dtype: "float32", shape: sizes, data };
    draws.push(input(name, "float32", shape));
    return draws.at(-1)!;
  };
  const [low, high] = images.range.map((end) => scalarLike(x, end)) as [Value, Value],
    region = { x, norm: "linf", epsilon: scalarLike(x, epsilon), low, high } as const;
  const values = trace({
    ...region,
    network,
    labels,
    draw,
    forward: (points) => Object.values(apply(network, { [x.node.name]: points }))[0]!,
    project: (points) => graphNorms.linf.project(x, points, region),
  });
  using program = await createLocalRuntime().compile(createGraph("measure", [x, labels, ...draws], values));
  const found = await program.run({
    ...drawn,
    labels: i64([...batch.labels]),
    [x.node.name]: { dtype: "float32", shape: [countOf(images), ...images.shape], data: batch.x },
  } as Feeds);
  const numbers = Object.entries(found).map(([name, { data }]) => [name, Array.from(data as Float32Array)]);
  return Object.fromEntries(numbers) as Record<K, readonly number[]>;
};

/** Where steps along the sign of the gradient lead from a start. @param length  of a step, in radii */
export const climbed = (
  { labels, epsilon, project, ...around }: Traced,
  start: Value,
  raise: (points: Value) => Raised,
  { steps, length }: { readonly steps: number; readonly length: number },
): Value => {
  const { points } = ascendWithin({
    examples: labels,
    starts: [start],
    raise: ([points]) => raise(points!),
    move: (at) => {
      const step = mul(epsilon, scalarLike(epsilon, length));
      return project(rules.steepest.move({ ...at, ...around, epsilon, step, options: {} }));
    },
    steps,
  });
  return points[0]!;
};

export const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Images a second, median of the epochs after the first, which compiles. */
export const rateOf = ({ history }: Trained): number => {
  const rates = history
    .slice(1)
    .map(({ imagesPerSecond }) => imagesPerSecond)
    .sort((a, b) => a - b);
  return rates[Math.floor(rates.length / 2)]!;
};

/** Rank correlation: Pearson's of the ranks, equal values sharing theirs. Source: Spearman 1904. */
export const spearman = (a: readonly number[], b: readonly number[]): number => {
  const [ranksA, ranksB] = [ranksOf(a), ranksOf(b)],
    middle = (a.length + 1) / 2;
  const product = (p: readonly number[], q: readonly number[]): number =>
    p.reduce((sum, v, i) => sum + (v - middle) * (q[i]! - middle), 0);
  return product(ranksA, ranksB) / Math.sqrt(product(ranksA, ranksA) * product(ranksB, ranksB));
};

const ranksOf = (values: readonly number[]): readonly number[] =>
  values.map((v) => {
    const below = values.filter((w) => w < v).length,
      equal = values.filter((w) => w === v).length;
    return below + (equal + 1) / 2;
  });
