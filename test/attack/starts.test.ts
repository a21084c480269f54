import { ascendWithin, type Draw, starts } from "temper/attack";
import { createRng, f32, sizeOf, type Tensor, toFloat64 } from "temper/core";
import { type Array64, createGraph, type Graph, input, toArray64, type Value } from "temper/graph";
import { kl } from "temper/loss";
import { add, evaluateGraph, matmul, relu, sign } from "temper/ops";
import { compile } from "temper/runtime";
import { graphNorms, type NormName } from "temper/threat";
import { describe, expect, it } from "vitest";

const SHAPE = [20, 6] as const,
  EPSILON = 0.125;
const random = (seed: number, shape: readonly number[], kind: "uniform" | "normal" = "normal"): Tensor => {
  const data = new Float32Array(sizeOf(shape)),
    rng = createRng(seed);
  if (kind === "normal") rng.fillNormal(data, 0, 1);
  else rng.fillUniform(data, -1, 1);
  return f32(data, shape);
};

interface Built {
  readonly graph: Graph;
  readonly feeds: Record<string, Tensor>;
  /** What was drawn, in order. */
  readonly drawn: readonly Array64[];
}
interface Spec {
  readonly norm?: NormName;
  readonly options?: object;
  /** Further outputs, from the start and the network. */
  readonly also?: (
    start: Value,
    inputs: { readonly x: Value; readonly forward: (x: Value) => Value; readonly drawn: readonly Value[] },
  ) => Readonly<Record<string, Value>>;
}

/** A start on a dense net of 6, 16 and 10 units, with everything it may ask for. */
const build = (name: keyof typeof starts, { norm = "linf", options = {}, also = () => ({}) }: Spec = {}): Built => {
  const feeds: Record<string, Tensor> = {},
    inputs: Value[] = [];
  const given = (called: string, tensor: Tensor): Value => {
    feeds[called] = tensor;
    inputs.push(input(called, tensor.dtype, tensor.shape));
    return inputs.at(-1)!;
  };
  const uniform = random(1, SHAPE, "uniform").data as Float32Array;
  const x = given(
      "x",
      f32(
        uniform.map((v) => 0.5 + v / 4),
        SHAPE,
      ),
    ),
    w1 = given("w1", random(2, [6, 16])),
    w2 = given("w2", random(3, [16, 10])),
    previous = given("previous", random(4, SHAPE));
  const region = {
    epsilon: given("epsilon", f32([EPSILON], [])),
    low: given("low", f32([0], [])),
    high: given("high", f32([1], [])),
  };
  const draws: Value[] = [];
  const draw: Draw = (kind, like, shape = like.shape) => {
    draws.push(given(`draw.${draws.length}`, random(10 + draws.length, shape as number[], kind)));
    return draws.at(-1)!;
  };
  const forward = (points: Value): Value => matmul(relu(matmul(points, w1)), w2);
  const start = starts[name].build({
    ...region,
    x,
    norm,
    options: options as never,
    draw,
    forward,
    previous: () => previous,
    project: (points) => graphNorms[norm].project(x, points, region),
  });
  const graph = createGraph(name, inputs, { start, ...also(start, { x, forward, drawn: draws }) });
  return { graph, feeds, drawn: draws.map(({ node }) => toArray64(feeds[node.name]!)) };
};

const exactly = ({ graph, feeds }: Built): Record<string, Array64> =>
  evaluateGraph(graph, Object.fromEntries(Object.entries(feeds).map(([name, v]) => [name, toArray64(v)])));
/** Of a start less the example. */
const change = (built: Built): number[] => {
  const x = toArray64(built.feeds["x"]!).data;
  return Array.from(exactly(built)["start"]!.data, (v, i) => v - x[i]!);
};
const rowsOf = (v: ArrayLike<number>): number[][] =>
  Array.from({ length: SHAPE[0] }, (_, i) => Array.from({ length: SHAPE[1] }, (_, j) => v[i * SHAPE[1] + j]!));
const near = (found: readonly number[], expected: readonly number[]): void =>
  found.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 6));

describe("starts", () => {
  it("zero is the example", () => expect(change(build("zero"))).toEqual(Array(sizeOf(SHAPE)).fill(0)));

  it("uniform is the draw times radius and scale", () => {
    for (const scale of [1, 2]) {
      const built = build("uniform", { options: { scale } });
      near(
        change(built),
        Array.from(built.drawn[0]!.data, (u) => u * EPSILON * scale),
      ); // not cut: N-FGSM
    }
  });

  it("uniform in l2 is a direction of any length to the radius, in l1 the draw itself", () => {
    const built = build("uniform", { norm: "l2", options: { scale: 1 } }),
      [direction, share] = built.drawn;
    const expected = rowsOf(direction!.data).map((row, i) =>
      row.map((v) => (v / Math.hypot(...row)) * EPSILON * share!.data[i]!),
    );
    near(change(built), expected.flat());
    rowsOf(change(built)).forEach((row) => expect(Math.hypot(...row)).toBeLessThan(EPSILON));
    const flat = build("uniform", { norm: "l1", options: { scale: 1 } });
    near(change(flat), Array.from(flat.drawn[0]!.data));
  });

  it("gaussian is the draw times the deviation, previous what was handed on", () => {
    const built = build("gaussian", { options: { deviation: 0.01 } });
    near(
      change(built),
      Array.from(built.drawn[0]!.data, (v) => 0.01 * v),
    );
    const before = build("previous");
    near(change(before), Array.from(toArray64(before.feeds["previous"]!).data));
  });
});

describe("backward smoothing", () => {
  const smoothed = (gamma: number, also?: Spec["also"]): Built =>
    build("backward-smoothing", { options: { gamma }, ...(also && { also }) });

  it("does not move without noise, in float32 either, and neither does the step after it", async () => {
    const built = smoothed(0, (start, { x, forward }) => {
      const clean = forward(x);
      const { points } = ascendWithin({
        examples: x,
        starts: [start],
        steps: 1,
        raise: ([point]) => {
          const logits = forward(point!);
          return { rows: kl(clean, logits), logits };
        },
        move: ({ point, gradient }) => add(point, sign(gradient)),
      });
      return { next: points[0]! };
    });
    using program = await compile(built.graph);
    const fast = await program.run(built.feeds),
      exact = exactly(built);
    for (const name of ["start", "next"]) {
      expect(Array.from(toFloat64(fast[name]!)), name).toEqual(Array.from(toArray64(built.feeds["x"]!).data));
      expect(Array.from(exact[name]!.data), name).toEqual(Array.from(toArray64(built.feeds["x"]!).data));
    }
  });

  it("goes a full step, and towards the noisy prediction of every example", () => {
    const built = smoothed(1, (start, { x, forward, drawn: [noise] }) => ({
      before: forward(x),
      after: forward(start),
      noise: noise!,
    }));
    change(built).forEach((d) => expect(Math.abs(Math.abs(d) - EPSILON) < 1e-6 || Math.abs(d) < 1e-9).toBe(true));
    expect(built.drawn[0]!.shape).toEqual([20, 10]); // of the logits, its own for every example
    const { before, noise } = exactly(built);
    const target = Array.from(before!.data, (v, i) => v + noise!.data[i]!);
    // With a radius that the loss is nearly linear in, almost all divergences come down.
    const small = { ...built, feeds: { ...built.feeds, epsilon: f32([0.002], []) } };
    const { after } = exactly(small);
    const came = Array.from({ length: 20 }, (_, i) => {
      const row = (v: ArrayLike<number>): number[] => Array.from({ length: 10 }, (_, j) => v[10 * i + j]!);
      return divergence(row(target), row(after!.data)) < divergence(row(target), row(before!.data));
    });
    expect(came.filter(Boolean).length).toBeGreaterThanOrEqual(19);
  });
});

const divergence = (p: readonly number[], q: readonly number[]): number => {
  const logs = (z: readonly number[]): number[] => {
    const sum = Math.log(z.reduce((s, v) => s + Math.exp(v), 0));
    return z.map((v) => v - sum);
  };
  const [a, b] = [logs(p), logs(q)];
  return a.reduce((sum, v, i) => sum + Math.exp(v) * (v - b[i]!), 0);
};
