import { createRng, f32, i64, type Tensor } from "temper/core";
import { BATCH, float32, type Graph, graphNodes, trace, type Value, withBatch } from "temper/graph";
import { model } from "temper/models";
import { initialize } from "temper/nn";
import { evaluateGraph, exp, mul, reduceSum, sin } from "temper/ops";
import { createOptimizer, optimizers } from "temper/optim";
import { blockSize, createLocalRuntime, lowerForCpu, planMemory, productsOf } from "temper/runtime";
import { objectives, trainStepGraph } from "temper/train";
import { describe, expect, it } from "vitest";

const block = await blockSize();
const optimizer = createOptimizer(optimizers.sgd, { momentum: 0.9 });
const peakOf = (graph: Graph): number => planMemory(graph, 1).peakBytes;
const count = (graph: Graph, op: string): number => graphNodes(graph).filter((node) => node.op.name === op).length;

const MEGABYTE = 1 << 20;
const LINKS = 24;

/** A chain of values of 1 MB that are read once more, backwards. */
const thereAndBack = (batch: number, size = 1 << 18): Graph =>
  trace("there and back", { x: float32(batch, size) }, ({ x }) => {
    const kept: Value[] = [x!];
    for (let i = 0; i < LINKS; i++) kept.push(sin(kept.at(-1)!));
    return kept.toReversed().reduce((sum, v) => mul(exp(sum), v));
  });

describe("values made twice", () => {
  const graph = thereAndBack(1),
    whole = peakOf(graph);

  it("keep the peak below a limit, and are no more than it takes", () => {
    expect(whole).toBeGreaterThanOrEqual(LINKS * MEGABYTE);
    const again = [0.9, 0.7, 0.5].map((share) => {
      const limited = lowerForCpu(graph, { memory: share * whole });
      expect(peakOf(limited)).toBeLessThanOrEqual(share * whole);
      return count(limited, "Sin") - LINKS;
    });
    expect(again[0]).toBeGreaterThan(0);
    expect(again[0]).toBeLessThan(again[2]!);
    expect(again[2]).toBeLessThanOrEqual(LINKS);
  });

  it("start from checkpoints: far below the limit that none of them would reach", () => {
    const least = lowerForCpu(graph, { memory: 1 });
    expect(peakOf(least)).toBeLessThan(0.6 * whole);
    expect(count(least, "Sin")).toBeLessThanOrEqual(2 * LINKS);
  });

  it("are the same values", () => {
    const x = { dtype: "float32" as const, shape: [1, 8], data: Float64Array.from({ length: 8 }, (_, i) => 0.1 * i) },
      small = thereAndBack(1, 8),
      limited = lowerForCpu(small, { memory: 0.5 * peakOf(small) });
    expect(count(limited, "Sin")).toBeGreaterThan(LINKS);
    expect(evaluateGraph(limited, { x })).toEqual(evaluateGraph(small, { x }));
  });

  it("are none where the limit is kept anyway, where there is none, and for batches of any size", () => {
    expect(count(lowerForCpu(graph, { memory: whole }), "Sin")).toBe(LINKS);
    expect(count(lowerForCpu(graph), "Sin")).toBe(LINKS);
    expect(count(lowerForCpu(thereAndBack(BATCH), { memory: 1 }), "Sin")).toBe(LINKS);
    const straight = trace("straight", { x: float32(1, 100) }, ({ x }) => reduceSum(sin(sin(x!)), [0, 1]));
    expect(count(lowerForCpu(straight, { memory: 1 }), "Sin")).toBe(2);
  });
});

describe("a training step in less memory", () => {
  it.each(["wide-resnet-10-4", "densenet-121", "mobilenet-v2"])("is the same step of %s, to the bit", async (name) => {
    const net = model(name, { inputShape: [3, 32, 32], classes: 10 }),
      batch = name === "wide-resnet-10-4" ? 16 : 2,
      graph = withBatch(trainStepGraph(net, objectives.standard, optimizer, {}), batch);
    const free = lowerForCpu(graph, { block, winograd: true }),
      memory = Math.floor(0.75 * peakOf(free)),
      limited = lowerForCpu(graph, { block, winograd: true, memory });
    expect(peakOf(limited)).toBeLessThanOrEqual(memory);
    expect(productsOf(limited, 1)).toBeLessThan(1.2 * productsOf(free, 1));
    const rng = createRng(3),
      x = new Float32Array(batch * 3072);
    rng.fillUniform(x, 0, 1);
    const shapes = Object.fromEntries(Object.entries(net.parameters).map(([key, { shape }]) => [key, shape]));
    const scalars = Object.entries(optimizer.scalars(0.1, 1)).map(([key, v]): [string, Tensor] => [key, f32([v], [])]);
    const feeds = {
      ...initialize(net, rng),
      ...optimizer.init(shapes),
      ...Object.fromEntries(scalars),
      "x.clean": f32(x, [batch, 3, 32, 32]),
      labels: i64(Array.from({ length: batch }, (_, i) => i % 10)),
    };
    const run = async (bytes: number): Promise<Record<string, Tensor>> => {
      using program = await createLocalRuntime().compile(graph, { winograd: true, memory: bytes });
      return await program.run(feeds);
    };
    const [expected, found] = [await run(0), await run(memory)];
    for (const [key, { data }] of Object.entries(expected))
      expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(found[key]!.data.buffer)), key).toBe(0);
  });
});
