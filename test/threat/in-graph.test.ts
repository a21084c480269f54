import { createRng, f32, sizeOf, type Tensor, toFloat64 } from "temper/core";
import { float32, trace, type Value } from "temper/graph";
import { add, scale } from "temper/ops";
import { compile } from "temper/runtime";
import { type GraphNorm, type GraphRegion, graphNorms, type NormName, threat } from "temper/threat";
import { describe, expect, it } from "vitest";

const SHAPE = [6, 3, 8, 8] as const,
  D = sizeOf(SHAPE.slice(1));
const RADII = { linf: 0.1, l2: 1.5, l1: 9 } as const;

const normals = (seed: number, deviation: number): Float32Array<ArrayBuffer> => {
  const data = new Float32Array(sizeOf(SHAPE));
  createRng(seed).fillNormal(data, 0, deviation);
  return data;
};
const images = (): Float32Array<ArrayBuffer> => {
  const data = new Float32Array(sizeOf(SHAPE));
  createRng(1).fillUniform(data, 0, 1);
  return data.fill(0, 0, D); // the first one on the edge of the box, like dark digits
};

type Build = (norm: GraphNorm, x: Value, adv: Value, gradient: Value, region: GraphRegion) => Value;
const run = async (
  name: NormName,
  build: Build,
  feeds: { readonly x?: Float32Array; readonly adv?: Float32Array; readonly gradient?: Float32Array },
): Promise<Float64Array> => {
  const graph = trace(
    "norm",
    {
      x: float32(...SHAPE),
      adv: float32(...SHAPE),
      gradient: float32(...SHAPE),
      epsilon: float32(),
      low: float32(),
      high: float32(),
    },
    ({ x, adv, gradient, ...region }) => ({ y: build(graphNorms[name], x, adv, gradient, region) }),
  );
  using program = await compile(graph);
  const tensor = (data: Float32Array | undefined): Tensor => f32(data ?? images(), SHAPE);
  const { y } = await program.run({
    x: tensor(feeds.x),
    adv: tensor(feeds.adv),
    gradient: tensor(feeds.gradient),
    epsilon: f32([RADII[name]], []),
    low: f32([0], []),
    high: f32([1], []),
  });
  return toFloat64(y!);
};

const rowsOf = (v: ArrayLike<number>): number[][] =>
  Array.from({ length: SHAPE[0] }, (_, i) => Array.from({ length: D }, (_, j) => v[i * D + j]!));

describe.each(["linf", "l2", "l1"] as const)("%s in a graph", (name) => {
  const set = threat({ norm: name, epsilon: RADII[name] });
  const project: Build = (norm, x, adv, _, region) => norm.project(x, adv, region);

  it.each([
    ["far outside", 1],
    ["near the boundary", 0.1],
    ["inside", 0.001],
  ])("projects points %s as the set does", async (_, far) => {
    const x = images(),
      adv = normals(2, far).map((v, i) => v + x[i]!);
    const found = await run(name, project, { x, adv }),
      expected = set.project(x, adv.slice(), D);
    found.forEach((v, i) => expect(Math.abs(v - expected[i]!)).toBeLessThan(3e-6));
    expect(Array.from(set.contains(x, Float32Array.from(found), D, 2e-5))).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("takes the steepest step of the set, and none where the gradient is zero", async () => {
    const gradient = normals(3, 1e-4).fill(0, 2 * D, 3 * D),
      adv = images(),
      expected = adv.slice();
    set.ascend(expected, gradient, 0.25, D);
    const step: Build = (norm, _, at, g, region) => add(at, scale(norm.steepest(g, { adv: at, ...region }), 0.25));
    const found = await run(name, step, { adv, gradient });
    found.forEach((v, i) => expect(Math.abs(v - expected[i]!)).toBeLessThan(1e-6));
    expect(rowsOf(found)[2]).toEqual(rowsOf(adv)[2]);
    expect(rowsOf(found)[3]).not.toEqual(rowsOf(adv)[3]);
  });

  it("has a vertex of unit length whose product with the gradient is the dual norm; zero at zero", async () => {
    const gradient = normals(4, 1).fill(0, 2 * D, 3 * D);
    const vertex = await run(name, (norm, _, _1, g) => norm.vertex(g), { gradient }),
      dual = await run(name, (norm, _, _1, g) => norm.dual(g), { gradient });
    const lengths = set.distance(new Float32Array(sizeOf(SHAPE)), Float32Array.from(vertex), D);
    rowsOf(gradient).forEach((g, i) => {
      const size = g.map(Math.abs);
      const closed = {
        linf: size.reduce((a, b) => a + b),
        l2: Math.hypot(...g),
        l1: Math.max(...size),
      }[name];
      expect(dual[i]! / (closed || 1)).toBeCloseTo(closed > 0 ? 1 : 0, 5);
      expect(lengths[i]).toBeCloseTo(i === 2 ? 0 : 1, 5);
      const product = rowsOf(vertex)[i]!.reduce((sum, v, j) => sum + v * g[j]!, 0);
      expect(product / (closed || 1)).toBeCloseTo(closed > 0 ? 1 : 0, 5);
    });
  });
});
