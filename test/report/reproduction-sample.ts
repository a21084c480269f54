import type { ReproductionReport } from "temper/report";
import { sampleResult } from "./sample.ts";
import { sampleTraining } from "./training-sample.ts";

/** A made-up reproduction: two arms on some seeds; of two required claims one does not hold. */
export const sampleReproduction = ({
  seeds = [0, 1, 2],
  arms = ["one step", "seven steps"],
}: { seeds?: readonly number[]; arms?: readonly string[] } = {}): ReproductionReport => {
  const { history } = sampleTraining();
  return {
    schema: "temper.reproduction/1",
    slug: "sample",
    title: "Sample: <b>more</b> steps, more robustness",
    source: "Somebody et al. 2020, A Paper",
    command: "temper reproduce sample",
    createdAt: "2026-03-04T12:34:56.789Z",
    scale: "small",
    kind: "mnist",
    data: {
      train: { name: "mnist train", count: 60_000, hash: "4f30d16bd683da0ac69fd873dddfa41a" },
      test: { name: "mnist test", count: 10_000, hash: "cb8a7bdb04036cad7f3eb0d602ea85ec" },
    },
    seeds,
    held: false,
    claims: [
      {
        text: "PGD-20 accuracy of seven steps is at least 5 points above that of one",
        published: "50.1 % and 46.1 % on CIFAR-10 (table 4)",
        required: true,
        threshold: "page",
        held: true,
        unit: "points",
        values: seeds.map((_, i) => 0.0612 + i / 100),
        mean: 0.0712,
        low: 0.0464,
        high: 0.096,
      },
      {
        text: "one step collapses",
        published: null,
        required: true,
        threshold: "calibrated on seeds 10 and 11",
        held: false,
        unit: "number",
        values: seeds.map(() => null),
        mean: null,
        low: null,
        high: null,
      },
    ],
    measured: seeds.map(() => ({ "PGD-20, one step": 0.4321, "PGD-20, seven steps": 0.5033 })),
    arms: seeds.flatMap((seed) =>
      arms.map((name) => ({
        name,
        seed,
        configuration: { recipe: "pgd-at", options: { epochs: 30, steps: 7 } },
        clean: 0.9,
        fgsm: 0.6,
        pgd: 0.5,
        gradientEvaluations: 1_200_000,
        seconds: 70.5,
        history,
      })),
    ),
    notes: ["What was tried: <i>much</i>."],
    seconds: { total: 432.1, training: 423 },
    machine: sampleResult().machine,
  };
};
