import {
  apgd,
  ascentGraph,
  attacks,
  type AttackRequest,
  attackStepGraph,
  checkpoints,
  createTarget,
  fgsm,
  gradientGraph,
  pgd,
  predictionOf,
  runAttack,
  type Target,
} from "temper/attack";
import { createRng, f32, i64, scalar } from "temper/core";
import { BATCH, bind, constant, createGraph, emit, input, toArray64 } from "temper/graph";
import { model, toGraph } from "temper/models";
import { decodeModel, encodeModel, concatChunks } from "temper/onnx";
import { flatten, initialize } from "temper/nn";
import { evaluateGraph, MatMul, neg, relu, Sqrt, toOnnx } from "temper/ops";
import type { Runtime } from "temper/runtime";
import { threat } from "temper/threat";
import { describe, expect, it } from "vitest";
import { argmax, lastPoint, linearNetwork, pixels, randomNetwork, runtime } from "./networks.ts";

const D = 64;
const x = pixels(12, D, 5);
const set = threat({ epsilon: 0.12 });
const setting = async () => {
  const target = await createTarget(runtime, randomNetwork());
  const labels = argmax(await target.logits(x), target.classes);
  return { target, labels, request: { attack: pgd, threat: set, x, labels, seed: 1 } satisfies AttackRequest };
};

describe("the count of evaluations", () => {
  it("is one gradient a step and one forward pass at the end of a start, where nothing breaks", async () => {
    const { target, labels } = await setting();
    const tiny = threat({ epsilon: 1e-4 });
    const ran = await runAttack(target, {
      attack: pgd,
      options: { steps: 7, restarts: 3 },
      threat: tiny,
      x,
      labels,
      seed: 1,
    });
    expect(ran.broken).toEqual(new Uint8Array(12));
    expect(ran.gradientEvaluations).toEqual(new Int32Array(12).fill(21));
    expect(ran.forwardEvaluations).toEqual(new Int32Array(12).fill(3));
  });
  it("ends with an example's fall, and adds the pass that judges again", async () => {
    const { target, labels } = await setting();
    const wrong = labels.map((label) => (label + 1) % 5); // broken at the first look
    const at = { attack: pgd, threat: set, x, labels: wrong, seed: 1 };
    const first = await runAttack(target, { ...at, options: { steps: 7, restarts: 3 } });
    expect(first.broken).toEqual(new Uint8Array(12).fill(1));
    expect(first.gradientEvaluations).toEqual(new Int32Array(12).fill(1));
    expect(first.forwardEvaluations).toEqual(new Int32Array(12).fill(1));
    const all = await runAttack(target, { ...at, options: { steps: 7, restarts: 3 }, exhaustive: true });
    expect(all.gradientEvaluations).toEqual(new Int32Array(12).fill(21));
    // One a start, and one to confirm a point that only the gradient's program has judged.
    expect(all.forwardEvaluations.every((n) => n === 3 || n === 4)).toBe(true);
  });
});

describe("broken examples", () => {
  it("leave the batch with the call in which they fall, and nothing is compiled again for the smaller one", async () => {
    const calls: (readonly [size: number, steps: number])[] = [];
    let compiled = 0;
    const watched: Runtime = {
      compile: async (...args) => {
        compiled++;
        const program = await runtime.compile(...args);
        const run: typeof program.run = (feeds, wanted) => {
          calls.push([Object.values(feeds)[0]!.shape[0]!, Number(feeds["steps"]?.data[0] ?? 0)]);
          return program.run(feeds, wanted);
        };
        return { ...program, run };
      },
    };
    using target = await createTarget(watched, randomNetwork());
    const labels = argmax(await target.logits(x), target.classes);
    calls.length = 0;
    const ran = await runAttack(target, {
      attack: pgd,
      options: { steps: 40, stepSize: 0.01, randomStart: false },
      threat: threat({ epsilon: 0.5 }),
      x,
      labels,
      seed: 1,
    });
    expect(compiled, "forward pass and gradient").toBe(2);
    let taken = 0;
    for (const [size, steps] of calls.filter(([, steps]) => steps > 0)) {
      expect(size, `at step ${taken}`).toBe(ran.gradientEvaluations.filter((n) => n > taken).length);
      taken += steps;
    }
    expect(taken).toBeGreaterThanOrEqual(Math.max(...ran.gradientEvaluations));
    expect(new Set(calls.map(([size]) => size)).size, "they fall one after the other").toBeGreaterThan(2);
    expect(Math.max(...calls.map(([, steps]) => steps)), "calls get longer while few fall").toBeGreaterThan(3);
  });
});

describe("runAttack", () => {
  it("gives the strongest point of all steps and starts", async () => {
    const { target, labels, request } = await setting();
    const seen: Float32Array[] = [];
    const watching = {
      ...target,
      ascend: undefined,
      evaluate: async (...args: Parameters<typeof target.evaluate>) => (
        seen.push(args[0].slice()),
        target.evaluate(...args)
      ),
      logits: async (rows: Float32Array) => (seen.push(rows.slice()), target.logits(rows)),
    };
    const options = { steps: 6, restarts: 2 };
    const { adv } = await runAttack(watching, { ...request, options, exhaustive: true });
    expect(seen.length).toBeGreaterThanOrEqual(2 * 7); // and a question about what needs to be confirmed
    const margins = async (points: Float32Array): Promise<number[]> => {
      const logits = await target.logits(points);
      return Array.from(labels, (label, i) => {
        const scores = Array.from(logits.subarray(5 * i, 5 * i + 5));
        return Math.max(...scores.filter((_, k) => k !== label)) - scores[label]!;
      });
    };
    const asked = await Promise.all(seen.slice(0, 14).map(margins)),
      reported = await margins(adv);
    reported.forEach((m, i) => {
      const most = Math.max(...asked.map((row) => row[i]!));
      // Of fooling points within 1 % of each other, the one that the forward pass had judged anyway.
      if (most > 0) expect(m / most).toBeGreaterThanOrEqual(0.99);
      else expect(m).toBeCloseTo(most, 5);
    });
  });

  it("says how far it is and stops between calls; what it reports then was judged again all the same", async () => {
    const { target, labels, request } = await setting();
    const told: string[] = [];
    let asked = 0;
    const stopped = await runAttack(target, {
      ...request,
      exhaustive: true,
      options: { steps: 5, restarts: 2 },
      onStep: (done, total) => told.push(`${done}/${total}`),
      cancelled: () => ++asked > 3,
    });
    expect(told).toEqual(["5/12", "6/12", "11/12"]);
    expect(stopped.complete).toBe(false);
    const found = argmax(await target.logits(stopped.adv), 5);
    labels.forEach((label, i) => expect(found[i] !== label).toBe(stopped.broken[i] === 1));
  });

  it("names what is wrong with a request", async () => {
    const { target, labels, request } = await setting();
    const refused = (more: object) => expect(runAttack(target, { ...request, ...more })).rejects;
    await refused({ options: { stps: 3 } }).toThrow(/pgd has no option stps. Did you mean steps\?/);
    await refused({ options: { steps: 0 } }).toThrow(/pgd: steps must be an integer from 1/);
    await refused({ options: { steps: 2.5 } }).toThrow(/pgd: steps/);
    await refused({ attack: fgsm, options: { loss: "kl" } }).toThrow(/fgsm: loss must be one of/);
    await refused({ attack: apgd, options: { steps: "many" } }).toThrow(/apgd-ce: steps/);
    await refused({ attack: { ...pgd, norms: ["l2"] } }).toThrow(/pgd attacks in l2, not in linf/);
    await refused({ x: x.slice(1) }).toThrow(/12 labels need 12 x 64 pixels/);
    await refused({ ids: new Int32Array(3) }).toThrow(/as many ids, got 768 pixels and 3 ids/);
    await refused({ x: x.map((v) => 255 * v) }).toThrow(/must lie in the box \[0, 1\]/);
    await refused({ labels: labels.with(3, 5) }).toThrow(/label 5 of example 3 is not one of the model's 5 classes/);
    await refused({ labels: labels.with(0, -1) }).toThrow(/label -1 of example 0/);
    await expect(target.logits(new Float32Array(65))).rejects.toThrow(/whole examples \[1, 8, 8\]/);
    await expect(target.evaluate(x, new Int32Array(3), "margin")).rejects.toThrow(/a label for each/);
    const none = { x: new Float32Array(0), labels: new Int32Array(0) };
    expect((await runAttack(target, { ...request, ...none })).adv.length).toBe(0);
  });

  it("believes the forward pass, not the gradient's program", async () => {
    const { target, request } = await setting();
    // A network whose gradient program is wrong about the scores: everything looks fooled.
    const lying = {
      ...target,
      ascend: undefined,
      evaluate: async (...args: Parameters<typeof target.evaluate>) => {
        const evaluation = await target.evaluate(...args);
        return {
          ...evaluation,
          logits: evaluation.logits.map((v, i) => (i % 5 === args[1][Math.floor(i / 5)] ? -99 : v)),
        };
      },
    };
    const tiny = threat({ epsilon: 1e-4 });
    const ran = await runAttack(lying, { ...request, threat: tiny, options: { steps: 3 } });
    expect(ran.broken).toEqual(new Uint8Array(12));
    expect(ran.gradientEvaluations).toEqual(new Int32Array(12).fill(1));
    expect(ran.forwardEvaluations).toEqual(new Int32Array(12).fill(1));
  });

  it("needs three classes for the dlr loss, and says so", async () => {
    const target = await createTarget(runtime, linearNetwork(new Float32Array(2 * D), D, 2));
    const request = { attack: pgd, options: { loss: "dlr" }, threat: set, x, labels: new Int32Array(12), seed: 1 };
    await expect(runAttack(target, request)).rejects.toThrow(/dlr needs at least 3 classes, linear has 2/);
  });

  it("counts NaN as broken, and keeps the point in the set", async () => {
    // sqrt(sum of x - 30): NaN for dark images, and its gradient with it.
    const sum = linearNetwork(new Float32Array(2 * D).fill(1), D, 2, { bias: [-30, -31] });
    const graph = createGraph("roots", sum.inputs, { y: emit(Sqrt, [sum.outputs["y"]!]) });
    const target = await createTarget(runtime, graph);
    const rng = createRng(1);
    const dim = Float32Array.from({ length: 2 * D }, (_, i) => (i < D ? 0.2 : 0.8) * rng.uniform() + (i < D ? 0 : 0.2));
    for (const attack of Object.values(attacks)) {
      const { adv, broken } = await runAttack(target, {
        attack,
        threat: threat({ norm: "linf", epsilon: 0.05 }),
        x: dim,
        labels: new Int32Array(2),
        seed: 1,
      });
      expect(broken).toEqual(Uint8Array.of(1, 0));
      expect(threat({ epsilon: 0.05 }).contains(dim, adv, D)).toEqual(Uint8Array.of(1, 1));
    }
  });

  it("sees that a model without gradient gives it nothing", async () => {
    const target = await createTarget(runtime, linearNetwork(new Float32Array(3 * D), D, 3, { bias: [1, 0, 0] }));
    for (const attack of Object.values(attacks)) {
      const ran = await runAttack(target, { attack, threat: set, x, labels: new Int32Array(12), seed: 1 });
      expect(ran.slope).toEqual(new Float32Array(12));
      expect(ran.broken).toEqual(new Uint8Array(12));
    }
    const { target: other, request } = await setting();
    expect(Math.min(...(await runAttack(other, request)).slope)).toBeGreaterThan(0);
  });

  it("takes the scores before a final Softmax: saturated probabilities do not stop it", async () => {
    const w = new Float32Array(3 * D);
    createRng(4).fillNormal(w, 0, 30);
    const plain = await createTarget(runtime, linearNetwork(w, D, 3)),
      saturated = await createTarget(runtime, linearNetwork(w, D, 3, { softmax: true }));
    const labels = argmax(await plain.logits(x), 3);
    const request = { attack: pgd, options: { loss: "margin" }, threat: threat({ epsilon: 0.1 }), x, labels, seed: 1 };
    const [a, b] = [await runAttack(plain, request), await runAttack(saturated, request)];
    expect(Math.max(...(await saturated.logits(x)))).toBe(1); // float32 cannot tell these from certainty
    expect(b.broken).toEqual(a.broken);
    expect(b.broken).toContain(1);
    expect(Math.min(...b.slope)).toBeGreaterThan(1);
  });

  it("runs models of a fixed batch size in pieces", async () => {
    const w = new Float32Array(3 * D);
    createRng(4).fillNormal(w, 0, 1);
    const free = await createTarget(runtime, linearNetwork(w, D, 3));
    const labels = argmax(await free.logits(x), 3);
    for (const batch of [1, 5, 12, 100]) {
      const fixed = await createTarget(runtime, linearNetwork(w, D, 3, { batch }));
      const request = { attack: pgd, threat: threat({ epsilon: 0.02 }), x, labels, seed: 1 };
      const [a, b] = [await runAttack(free, request), await runAttack(fixed, request)];
      expect(b.broken).toEqual(a.broken);
      expect(b.gradientEvaluations).toEqual(a.gradientEvaluations);
      b.adv.forEach((v, i) => expect(Math.abs(v - a.adv[i]!)).toBeLessThan(1e-5));
    }
  });

  it("refuses graphs that are no classifiers", async () => {
    const image = input("x", "float32", [BATCH, 1, 4, 4]);
    const map = createGraph("map", [image], { y: relu(image) });
    await expect(createTarget(runtime, map)).rejects.toThrow(/one row of scores an example/);
    const ids = input("ids", "int64", [BATCH, 4]);
    await expect(createTarget(runtime, createGraph("ids", [ids], { y: ids }))).rejects.toThrow(/float32 examples/);
    const flat = createGraph("flat", [image], { y: flatten.apply({}, image, { training: false }).y });
    expect((await createTarget(runtime, flat)).classes).toBe(16);
  });
});

describe("the last point of an exhaustive attack", () => {
  it("is that of the steps written out, whatever the verdicts", async () => {
    const { target, labels, request } = await setting();
    const options = { steps: 5 };
    const last = await lastPoint(target, { ...request, options });
    expect(set.contains(x, last, D)).toEqual(new Uint8Array(12).fill(1));
    let adv = set.randomStart(x, (row) => createRng(1).split("pgd").split(0).split(row), D);
    for (let i = 0; i < 5; i++) {
      const { gradient } = await target.evaluate(adv, labels, "cross-entropy");
      adv = adv.slice();
      set.ascend(adv, gradient, (2.5 * 0.12) / 5, D);
      set.project(x, adv, D);
    }
    expect(await lastPoint({ ...target, ascend: undefined }, { ...request, options })).toEqual(adv);
    last.forEach((v, i) => expect(Math.abs(v - adv[i]!), `element ${i}`).toBeLessThan(1e-6)); // steps in float32
    const wrong = labels.map((label) => (label + 1) % 5);
    expect(await lastPoint(target, { ...request, labels: wrong, options })).not.toEqual(x);
  });
});

describe("steps in the model's own program", () => {
  it("are those of the loop outside, and what they report lies in the set", async () => {
    const { target, request } = await setting();
    expect(target.ascend).toBeDefined();
    const outside = { ...target, ascend: undefined };
    for (const [attack, options] of [
      [pgd, { steps: 8 }],
      [pgd, { steps: 4, restarts: 2, stepSize: 0.05, loss: "margin" }],
      [fgsm, { randomStart: true }],
    ] as const)
      for (const exhaustive of [true, false]) {
        const asked = { ...request, attack, options, exhaustive };
        const [inside, loop] = [await runAttack(target, asked), await runAttack(outside, asked)];
        expect(inside.broken).toEqual(loop.broken);
        expect(inside.gradientEvaluations).toEqual(loop.gradientEvaluations);
        expect(inside.forwardEvaluations).toEqual(loop.forwardEvaluations);
        inside.adv.forEach((v, i) => expect(Math.abs(v - loop.adv[i]!), `element ${i}`).toBeLessThan(1e-6));
        inside.slope.forEach((v, i) => expect(v / loop.slope[i]!).toBeCloseTo(1, 5));
        expect(set.contains(x, inside.adv, D, 0)).toEqual(new Uint8Array(12).fill(1));
        expect(inside.adv).not.toEqual(x);
      }
  });

  it("are the same bits, however many a call takes", async () => {
    const { target, request } = await setting();
    const single: Target = {
      ...target,
      ascend: (points, labels, loss, climb) => target.ascend!(points, labels, loss, { ...climb, steps: 1 }),
    };
    for (const loss of ["cross-entropy", "margin", "dlr"])
      for (const threatSet of [set, threat({ epsilon: 0.02 })]) {
        const asked = { ...request, threat: threatSet, exhaustive: true, options: { steps: 9, restarts: 2, loss } };
        expect(await runAttack(target, asked)).toEqual(await runAttack(single, asked));
        expect(await lastPoint(target, asked)).toEqual(await lastPoint(single, asked));
      }
    const first = { ...request, threat: threat({ epsilon: 0.3 }), options: { steps: 12, restarts: 2, stepSize: 0.03 } };
    const [many, one] = [await runAttack(target, first), await runAttack(single, first)];
    expect(many.broken).toEqual(one.broken);
    expect(many.broken).toContain(1);
    expect(many.gradientEvaluations).toEqual(one.gradientEvaluations);
    expect(many.forwardEvaluations).toEqual(one.forwardEvaluations);
    expect(many.slope).toEqual(one.slope);
    many.adv.forEach((v, i) => expect(Math.abs(v - one.adv[i]!), `element ${i}`).toBeLessThan(1e-6)); // other batches
  });

  it("judge as the driver does: ties, infinite scores and NaN", async () => {
    const image = input("x", "float32", [BATCH, 4]);
    using program = await runtime.compile(
      ascentGraph(createGraph("scores", [image], { y: neg(neg(image)) }), "margin"),
    );
    const rows = [
      [3, 1, 2, 0],
      [1, 3, 2, 0],
      [2, 2, 1, 0], // the first of equal scores is predicted
      [0, 2, 2, 1],
      [0, 0, 0, 0],
      [NaN, 1, 2, 3],
      [9, 1, 2, NaN],
      [Infinity, 1, 2, 3],
      [1, Infinity, 2, 3],
    ];
    for (const label of [0, 1, 2, 3]) {
      const points = f32(Float32Array.from(rows.flat()), [rows.length, 4]);
      const { margin, fools, asked } = await program.run({
        x: points,
        labels: i64(rows.map(() => label)),
        low: points,
        high: points,
        step_size: scalar(0),
        exhaustive: { dtype: "bool", shape: [], data: Uint8Array.of(1) },
        steps: i64([3], []),
      });
      rows.forEach((scores, row) => {
        const wrong = Math.max(...scores.filter((_, k) => k !== label)),
          bad = scores.some(Number.isNaN);
        expect(margin!.data[row], `margin of ${scores.join()} at ${label}`).toBe(
          bad ? Infinity : wrong - scores[label]!,
        );
        expect(fools!.data[row], `verdict on ${scores.join()} at ${label}`).toBe(
          predictionOf(Float32Array.from(scores), 0, 4) === label ? 0 : 1,
        );
        expect(asked!.data[row]).toBe(3);
      });
    }
  });

  it("are those of float64", async () => {
    const { labels } = await setting();
    const graph = ascentGraph(randomNetwork(), "cross-entropy"),
      ranges = threat({ epsilon: 0.4 }).ranges(x, D)!;
    const points = (data: Float32Array) => f32(data, [12, 1, 8, 8]);
    const feeds = {
      input: points(x),
      labels: i64(Array.from(labels)),
      low: points(ranges.low as Float32Array<ArrayBuffer>),
      high: points(ranges.high as Float32Array<ArrayBuffer>),
      step_size: scalar(0.05),
      exhaustive: { dtype: "bool", shape: [], data: Uint8Array.of(0) },
      steps: i64([8], []),
    } as const;
    using program = await runtime.compile(graph);
    const outputs = await program.run(feeds);
    const exact = evaluateGraph(
      graph,
      Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toArray64(tensor)])),
    );
    expect(Object.keys(outputs)).toEqual(Object.keys(exact));
    for (const [name, { data }] of Object.entries(outputs)) {
      const reference = exact[name]!.data,
        scale = reference.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-9);
      Array.from(data as Float32Array).forEach((v, i) =>
        expect(Math.abs(v - reference[i]!) / scale, `${name} ${i}`).toBeLessThan(1e-5),
      );
    }
    expect(Array.from(exact["asked"]!.data).some((n) => n < 8)).toBe(true);
  });

  it("have a program of their own for a batch that is known", async () => {
    const { target, request } = await setting();
    using known = await createTarget(runtime, randomNetwork(), { rows: 12 });
    const asked = { ...request, exhaustive: true, options: { steps: 6 } };
    const [a, b] = [await runAttack(known, asked), await runAttack(target, asked)];
    expect(a.broken).toEqual(b.broken);
    a.adv.forEach((v, i) => expect(Math.abs(v - b.adv[i]!), `element ${i}`).toBeLessThan(1e-6));
    const few = { ...asked, x: x.slice(0, 5 * D), labels: request.labels.slice(0, 5) };
    expect((await lastPoint(known, few)).length).toBe(5 * D);
  });

  it("are fewer in a call the more a gradient takes, recurrent steps too", async () => {
    const net = model("lstm", { inputShape: [1, 64, 64], classes: 10 }),
      weights = Object.entries(initialize(net, createRng(0))).map(
        ([name, tensor]) => [name, constant(tensor)] as const,
      );
    using target = await createTarget(runtime, bind(toGraph(net), Object.fromEntries(weights)));
    // 128 units, 64 inputs, 64 steps: 64 · 512 · 192 products an example forward, and as many back.
    expect(target.stepsInCall(64)).toBe(64);
    expect(target.stepsInCall(2000)).toBe(Math.floor(1e11 / (2000 * 2 * (64 * 512 * 192 + 1280))));
    expect(target.stepsInCall(1e6)).toBe(1);
  });

  it("leave a row alone whose gradient is not finite", async () => {
    // The logit sqrt(a) has no gradient at a = 0; rows whose first pixel is 0 must stay, the others move.
    const image = input("x", "float32", [BATCH, 2]);
    const graph = createGraph("root", [image], { y: emit(Sqrt, [image]) });
    const target = await createTarget(runtime, graph);
    const rows = Float32Array.of(0, 0.5, 0.5, 0.25);
    const asked = { attack: pgd, options: { steps: 2, randomStart: false, loss: "margin" }, threat: set, seed: 1 };
    const last = await lastPoint(target, { ...asked, x: rows, labels: Int32Array.of(0, 0) });
    expect(Array.from(last.subarray(0, 2))).toEqual([0, 0.5]);
    expect(Math.abs(last[2]! - 0.38)).toBeLessThan(1e-6);
    expect(Math.abs(last[3]! - 0.37)).toBeLessThan(1e-6);
    const { slope } = await runAttack(target, { ...asked, x: rows, labels: Int32Array.of(0, 0), exhaustive: true });
    expect(slope[1]).toBeGreaterThan(0);
  });

  it("step by whole steps along gradients as small as normal float32 numbers are", async () => {
    const w = new Float32Array(4).fill(1e-38);
    w[2] = 0;
    w[1] = w[3] = 0;
    const target = await createTarget(runtime, linearNetwork(w, 2, 2));
    const last = await lastPoint(target, {
      attack: fgsm,
      options: { loss: "margin" },
      threat: threat({ epsilon: 0.25 }),
      x: Float32Array.of(0.5, 0.5),
      labels: Int32Array.of(1),
      seed: 1,
    });
    expect(last[0]).toBeCloseTo(0.75, 6);
    expect(last[1]).toBe(0.5);
  });

  it("find names for their inputs that the model does not use", async () => {
    const w = new Float32Array(3 * D);
    createRng(4).fillNormal(w, 0, 1);
    const plain = linearNetwork(w, D, 3);
    for (const name of ["labels", "low", "step_size"]) {
      const image = input(name, "float32", [BATCH, D]);
      const graph = createGraph("named", [image], { y: emit(MatMul, [image, constant(f32(w, [D, 3]))]) });
      const ask = { attack: pgd, threat: set, x, labels: new Int32Array(12), seed: 1 };
      const ran = await runAttack(await createTarget(runtime, graph), ask);
      expect(ran).toEqual(await runAttack(await createTarget(runtime, plain), ask));
    }
  });
});

describe("APGD's checkpoints", () => {
  it("are those of the paper", () => {
    expect(checkpoints(100)).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
  });
  it("ascend and stay within the steps, whatever their number", () => {
    for (let steps = 1; steps < 200; steps++) {
      const at = checkpoints(steps);
      expect(at.every((c, i) => c > (at[i - 1] ?? 0) && c <= steps)).toBe(true);
    }
  });
});

describe("the attack step as a graph", () => {
  const d = D;
  it.each(["linf", "l2"] as const)("iterated, it is the driver's PGD (%s)", async (norm) => {
    const { target, labels } = await setting();
    const epsilon = norm === "linf" ? 0.12 : 1.2,
      stepSize = epsilon / 4,
      threatSet = threat({ norm, epsilon });
    using program = await runtime.compile(attackStepGraph(randomNetwork(), "cross-entropy", norm));
    const start = threatSet.randomStart(x, (row) => createRng(1).split("pgd").split(0).split(row), d);
    let adv = start;
    for (let i = 0; i < 10; i++) {
      const out = await program.run({
        input: f32(adv, [12, 1, 8, 8]),
        labels: i64(Array.from(labels)),
        original: f32(x, [12, 1, 8, 8]),
        epsilon: scalar(epsilon),
        step_size: scalar(stepSize),
        low: scalar(0),
        high: scalar(1),
      });
      adv = out["adversarial"]!.data as Float32Array<ArrayBuffer>;
      expect(out["loss"]!.shape).toEqual([12]);
      expect(out["logits"]!.shape).toEqual([12, 5]);
      expect(threatSet.contains(x, adv, d)).toEqual(new Uint8Array(12).fill(1));
    }
    const driver = await lastPoint(target, {
      attack: pgd,
      options: { steps: 10, stepSize },
      threat: threatSet,
      x,
      labels,
      seed: 1,
    });
    driver.forEach((v, i) => expect(Math.abs(v - adv[i]!), `element ${i}`).toBeLessThan(1e-5));
    const moved = threatSet.distance(x, driver, d);
    expect(Math.min(...moved)).toBeGreaterThan(0.9 * epsilon); // the radius matters,
    expect(driver.filter((v) => v === 0 || v === 1).length).toBeGreaterThan(20); // and so does the box
  });
  it("follows l2 gradients whose squares underflow", async () => {
    const w = new Float32Array(2 * d);
    for (let i = 0; i < d; i++) w[2 * i] = 1e-25;
    using program = await runtime.compile(attackStepGraph(linearNetwork(w, d, 2), "margin", "l2"));
    const gray = new Float32Array(d).fill(0.5);
    const point = (value: Float32Array) => f32(value, [1, d]);
    const { adversarial } = await program.run({
      x: point(gray),
      labels: i64([1]),
      original: point(gray),
      epsilon: scalar(0.4),
      step_size: scalar(0.4),
      low: scalar(0),
      high: scalar(1),
    });
    for (const v of adversarial!.data as Float32Array) expect(v).toBeCloseTo(0.55, 5);
  });
  it.each(["linf", "l2"] as const)("is written with standard operators only (%s)", (norm) => {
    const file = decodeModel(
      concatChunks(encodeModel(toOnnx(attackStepGraph(randomNetwork(), "cross-entropy", norm)))),
    );
    expect(file.opsetImport!.map(({ domain }) => domain ?? "")).toEqual([""]);
  });
  it("refuses a loss that the model is too small for", () => {
    expect(() => gradientGraph(linearNetwork(new Float32Array(2 * d), d, 2), "dlr")).toThrow(/at least 3 classes/);
    expect(() => attackStepGraph(linearNetwork(new Float32Array(2 * d), d, 2), "targeted-margin")).toThrow(
      /needs target classes/,
    );
  });
});

describe("the gradient graph", () => {
  it("gives an example the same gradient in any batch, the one of float64", async () => {
    const graph = gradientGraph(randomNetwork(), "cross-entropy");
    expect(Object.keys(graph.outputs)).toEqual(["gradient", "loss", "logits"]);
    using cpu = await runtime.compile(graph);
    using exact = await runtime.compile(graph, { device: "reference" });
    const labels = Array.from({ length: 12 }, (_, i) => i % 5);
    const feeds = (from: number, to: number) => ({
      input: f32(x.slice(from * D, to * D), [to - from, 1, 8, 8]),
      labels: i64(labels.slice(from, to)),
    });
    const whole = (await cpu.run(feeds(0, 12)))["gradient"]!.data as Float32Array;
    const reference = (await exact.run(feeds(0, 12)))["gradient"]!.data as Float64Array;
    const scale = reference.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    whole.forEach((v, i) => expect(Math.abs(v - reference[i]!) / scale).toBeLessThan(1e-5));
    for (const i of [0, 7]) {
      const alone = (await cpu.run(feeds(i, i + 1)))["gradient"]!.data as Float32Array;
      alone.forEach((v, k) => expect(Math.abs(v - whole[i * D + k]!) / scale).toBeLessThan(1e-6));
    }
  });
});
