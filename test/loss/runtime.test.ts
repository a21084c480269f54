import { vjp } from "temper/autodiff";
import { createRng, i64, type Tensor, tensor, toFloat64 } from "temper/core";
import { BATCH, createGraph, type Graph, input } from "temper/graph";
import { losses, type LossType } from "temper/loss";
import { expandTo, scalarLike } from "temper/ops";
import { compile } from "temper/runtime";
import { expect, it } from "vitest";

const K = 5,
  N = 64;

const lossGraph = (loss: LossType): Graph => {
  const logits = input("logits", "float32", [BATCH, K]),
    targets = input("targets", "int64", [BATCH]);
  const given =
    loss.needs === "reference logits" ? input("given", "float32", [BATCH, K]) : input("given", "int64", [BATCH]);
  const rows = loss.build(logits, given, targets);
  const [gradient] = vjp([rows], [expandTo(scalarLike(rows, 1), rows)], [logits]);
  return createGraph(loss.name, [logits, given, targets], { rows, gradient: gradient! });
};

it.each(Object.keys(losses))("%s and its gradient are the same on ONNX Runtime, ties included", async (name) => {
  const loss: LossType = losses[name as keyof typeof losses],
    rng = createRng(1);
  // small whole numbers: every other row has equal logits
  const draw = (): Tensor<"float32"> =>
    tensor(
      "float32",
      [N, K],
      Float32Array.from({ length: N * K }, (_, j) => (Math.floor(j / K) % 2 ? rng.int(3) : 3 * rng.normal())),
    );
  const labels = Array.from({ length: N }, () => rng.int(K));
  const feeds = {
    logits: draw(),
    given: loss.needs === "reference logits" ? draw() : i64(labels),
    targets: i64(labels.map((y) => (y + 1 + rng.int(K - 1)) % K)),
  };
  using fast = await compile(lossGraph(loss), { device: "cpu", threads: 1 });
  using exact = await compile(lossGraph(loss), { device: "reference" });
  const [ours, reference] = [await fast.run(feeds), await exact.run(feeds)];
  for (const key of ["rows", "gradient"]) {
    const [a, b] = [toFloat64(ours[key]!), toFloat64(reference[key]!)];
    a.forEach((v, i) => {
      expect(Number.isFinite(v)).toBe(true);
      expect(Math.abs(v - b[i]!), `${key}[${i}]`).toBeLessThan(1e-5 * (1 + Math.abs(b[i]!)));
    });
  }
});

it("cross-entropy has an exact gradient in float32 where the model is sure", async () => {
  // The logits of the label lead by 5 to 60: p(label) - 1 is rounding noise from 12 on, and exactly 0 from 17 on.
  const leads = [5, 12, 17, 30, 60];
  const logits = Float32Array.from(leads.flatMap((lead) => [lead, 0, -0.5, 0.25, -2]));
  const feeds = {
    logits: tensor("float32", [5, K], logits),
    given: i64([0, 0, 0, 0, 0]),
    targets: i64([1, 1, 1, 1, 1]),
  };
  using fast = await compile(lossGraph(losses["cross-entropy"]), { device: "cpu", threads: 1 });
  using exact = await compile(lossGraph(losses["cross-entropy"]), { device: "reference" });
  const [a, b] = [await fast.run(feeds), await exact.run(feeds)].map(({ gradient }) => toFloat64(gradient!));
  a!.forEach((v, i) => expect(Math.abs(v / b![i]! - 1), `entry ${i}`).toBeLessThan(1e-5));
  leads.forEach((lead, row) => expect(b![row * K]! / -Math.exp(-lead)).toBeGreaterThan(2));
});
