import { createTarget, predictionOf } from "temper/attack";
import { batchBetween, countOf, takeExamples } from "temper/data";
import { evaluate } from "temper/evaluate";
import { defaultEngine } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { hasShared } from "../shared.ts";
import { openPublished, type Published, published } from "./published.ts";

const networks = Object.entries<Published>(published);

describe.skipIf(!hasShared)("networks of others", () => {
  it.each(networks)("clean accuracy on the whole test data is exact: %s", async (_, network) => {
    const { model, dataset } = await openPublished(network);
    using target = await createTarget(defaultEngine(), model.graph);
    let right = 0;
    for (let at = 0; at < countOf(dataset); at += 250) {
      const { x, labels } = batchBetween(dataset, at, Math.min(at + 250, countOf(dataset)));
      const logits = await target.logits(x);
      labels.forEach((label, row) => {
        if (predictionOf(logits, row, target.classes) === label) right++;
      });
    }
    expect([right, countOf(dataset)]).toEqual([network.right, network.count]);
  });

  // On the first examples only; `npm run test:slow` takes all of them.
  const first: Readonly<Record<string, readonly [count: number, least: number, most: number]>> = {
    "kw_mnist_eps0.1.onnx": [200, 190, 196],
    "mnist_lenet5_clntrained.onnx": [300, 0, 0],
    "cifar10_resnet20.onnx": [48, 0, 0],
  };
  it.each(networks)("robust accuracy under PGD on the first examples: %s", async (_, network) => {
    const [count, least, most] = first[network.file]!;
    const { model, dataset } = await openPublished(network);
    const { epsilon, attacks } = network;
    const result = await evaluate(model, takeExamples(dataset, count), {
      epsilon,
      attacks: attacks.slice(0, 1),
      sweep: [],
    });
    const stand = Math.round(result.robustAccuracy.value * count);
    console.log(`${network.file}: ${stand} of ${count} stand, ${result.seconds.total.toFixed(1)} s`);
    expect(stand).toBeGreaterThanOrEqual(least);
    expect(stand).toBeLessThanOrEqual(most);
    expect(result.doubts.filter(({ code }) => code !== "few-examples")).toEqual([]);
  });
});
