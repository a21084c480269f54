import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gradientGraph } from "temper/attack";
import { f32, sizeOf } from "temper/core";
import { BATCH, constant, float32, type Graph, graphNodes, trace, type Value } from "temper/graph";
import { loadClassifier, model } from "temper/models";
import { concatChunks, encodeModel } from "temper/onnx";
import { add, matmul, mul, reduceMax, relu, reshape, scale, softmax, toOnnx } from "temper/ops";
import { recipes, settingsOf, trainStep } from "temper/train";
import { blockSize, type CompileOptions, executionOrder, lowerForCpu, planMemory } from "temper/runtime";
import { afterAll, describe, expect, it } from "vitest";
import { hasShared, shared } from "../shared.ts";

const block = await blockSize();
const weights = (...shape: readonly number[]): Value =>
  constant(f32(new Float32Array(sizeOf(shape)).fill(0.01), shape));
const named = (graph: Graph, batch: number) => {
  const { peakNode, ...plan } = planMemory(graph, batch);
  return { ...plan, at: peakNode?.op.name, held: plan.atPeak.map(({ value, bytes }) => [value.node.op.name, bytes]) };
};

describe("planMemory on graphs whose peak is known", () => {
  it("holds two links of a chain, whatever its length", () => {
    const graph = trace("chain", { x: float32(BATCH, 8) }, ({ x }) =>
      matmul(matmul(matmul(x, weights(8, 100)), weights(100, 50)), weights(50, 2)),
    );
    expect(named(graph, 3)).toMatchObject({
      constantBytes: 4 * (800 + 5000 + 100),
      inputBytes: 4 * 3 * 8,
      outputBytes: 4 * 3 * 2,
      peakBytes: 4 * 3 * (100 + 50),
      at: "MatMul",
      held: [
        ["MatMul", 1200],
        ["MatMul", 600],
      ],
    });
    expect(planMemory(graph, 6).peakBytes, "grows with the batch").toBe(2 * planMemory(graph, 3).peakBytes);
  });

  it("keeps what a later node reads", () => {
    const graph = trace("residual", { x: float32(BATCH, 8) }, ({ x }) => {
      const early = softmax(matmul(x, weights(8, 40)));
      return matmul(add(softmax(matmul(softmax(early), weights(40, 40))), early), weights(40, 1));
    });
    // During the inner softmaxes: their input, their output, and the early value.
    expect(named(graph, 1)).toMatchObject({ peakBytes: 4 * 3 * 40, at: "MatMul" });
  });

  it("views take no memory, elementwise operators take over what nothing else reads", () => {
    const body = (x: Value, keep: boolean): Value => {
      const h = matmul(x, weights(8, 60)),
        y = relu(scale(reshape(relu(h), [BATCH, 30, 2]), 3));
      return keep ? mul(reshape(y, [BATCH, 60]), h) : y;
    };
    const free = planMemory(
      trace("free", { x: float32(BATCH, 8) }, ({ x }) => body(x, false)),
      1,
    );
    expect(free.peakBytes).toBe(4 * 60);
    expect(
      free.lifetimes.map(({ value, bytes, inPlaceOf }) => [value.node.op.name, bytes, inPlaceOf?.node.op.name]),
    ).toEqual([
      ["MatMul", 240, undefined],
      ["Relu", 0, "MatMul"],
      ["Reshape", 0, "Relu"],
      ["Mul", 0, "Reshape"],
      ["Relu", 0, "Mul"],
    ]);
    const kept = planMemory(
      trace("kept", { x: float32(BATCH, 8) }, ({ x }) => body(x, true)),
      1,
    );
    expect(kept.peakBytes, "h is read again at the end").toBe(2 * 4 * 60);
  });

  it("outputs stay to the end, and nothing is written over what is fed", () => {
    const graph = trace("outputs", { x: float32(BATCH, 10) }, ({ x }) => {
      const a = relu(x),
        b = relu(a);
      return { a, b, c: reshape(x, [BATCH, 5, 2]) };
    });
    expect(planMemory(graph, 2)).toMatchObject({ peakBytes: 2 * 4 * 20, outputBytes: 3 * 4 * 20 });
  });

  it("what follows from weights alone is a weight, and what it was made of is gone", () => {
    const graph = trace("folded", { x: float32(BATCH, 8) }, ({ x }) =>
      matmul(x, matmul(weights(8, 100), weights(100, 50))),
    );
    expect(planMemory(graph, 3)).toMatchObject({ constantBytes: 4 * 8 * 50, peakBytes: 4 * 3 * 50 });
  });

  it("an empty graph needs nothing", () => {
    const graph = trace("same", { x: float32(BATCH, 10) }, ({ x }) => x);
    expect(planMemory(graph, 2)).toMatchObject({ peakBytes: 0, atPeak: [], lifetimes: [], inputBytes: 80 });
  });
});

/** Branches that were all begun before the first was ended; the runtime ends each before it begins the next. */
const branches = (width: number): Graph =>
  trace("branches", { x: float32(BATCH, 16) }, ({ x }) => {
    const wide = Array.from({ length: 8 }, (_, i) => matmul(scale(x, i + 1), weights(16, width)));
    return wide.map((y) => reduceMax(y, [1], true)).reduce((a, b) => add(a, b));
  });

describe("the order of execution", () => {
  it("is topological, and goes into the depth", () => {
    const graph = branches(1000),
      order = executionOrder(graph);
    expect(new Set(order)).toEqual(new Set(graphNodes(graph)));
    const at = new Map(order.map((node, i) => [node, i]));
    for (const node of order) for (const v of node.inputs) if (v) expect(at.get(v.node)!).toBeLessThan(at.get(node)!);
    expect(planMemory(graph, 10).peakBytes).toBeLessThan(2 * 4 * 10 * 1000);
  });
});

describe("resident memory of a real run", () => {
  const folder = mkdtempSync(join(tmpdir(), "temper-memory-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const growth = (graph: Graph, batch: number, options: CompileOptions = {}): number => {
    const path = join(folder, `${graph.name}.onnx`);
    writeFileSync(path, concatChunks(encodeModel(toOnnx(graph))));
    const script = fileURLToPath(new URL("./resident-fixture.mjs", import.meta.url));
    return Number(
      execFileSync(process.execPath, [script, path, String(batch), JSON.stringify(options)], { encoding: "utf8" }),
    );
  };
  const compare = (graph: Graph, batch: number): void => {
    const { peakBytes, outputBytes } = planMemory(lowerForCpu(graph, { block }), batch),
      planned = peakBytes + outputBytes,
      measured = growth(graph, batch);
    expect(measured, `planned ${planned}, measured ${measured}`).toBeGreaterThan(0.6 * planned);
    expect(measured, `planned ${planned}, measured ${measured}`).toBeLessThan(1.8 * planned);
  };

  it("is what the plan says, though not in the order in which nodes were made", () => compare(branches(4096), 4096));

  describe.runIf(block > 0)("for a training step", () => {
    const net = model("wide-resnet-10-4", { inputShape: [3, 32, 32], classes: 10 }),
      { graph } = trainStep({
        model: net,
        recipe: recipes.standard,
        settings: settingsOf(recipes.standard, { batchSize: 32 }),
      });
    const planned = (memory: number): number => {
      const { peakBytes, outputBytes } = planMemory(lowerForCpu(graph, { block, winograd: true, memory }), 32);
      return peakBytes + outputBytes;
    };
    /** The least of three runs: where other processes take the cores, threads wait for each other with buffers in hand. */
    const expectNear = (memory: number): void => {
      const most = planned(memory),
        measured = Math.min(...[1, 2, 3].map(() => growth(graph, 32, { winograd: true, memory })));
      expect(measured, `planned ${most}, measured ${measured}`).toBeLessThan(1.2 * most);
    };

    it("is near the plan: no buffer waits for a later value of its shape", () => expectNear(0));

    it("is near the plan of one that makes values twice: the runtime does not make one of them", () => {
      const memory = 0.6 * planMemory(lowerForCpu(graph, { block, winograd: true }), 32).peakBytes;
      expect(planned(memory)).toBeLessThan(0.75 * planned(0));
      expectNear(memory);
    });
  });

  it.runIf(hasShared)("is what the plan says for the gradient of resnet20", async () => {
    const { graph } = await loadClassifier(shared("models/cifar10_resnet20.onnx"));
    compare(gradientGraph(graph, "cross-entropy"), 128);
  });
});
