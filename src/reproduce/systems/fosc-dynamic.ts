import { fullCifar, GLYPHS } from "../fixtures.ts";
import {
  type Arm,
  boundOn,
  type DataKind,
  defineReproduction,
  inTheMean,
  onEverySeed,
  type Trained,
} from "../reproduction.ts";
import { fgsm } from "./arms.ts";
import { diagnosed, shareAfterFgsm } from "./stationarity.ts";

/** 20,000 digits, l-inf 0.3, or glyphs; eight epochs, at most ten steps. */
const digits = (kind: DataKind, recipe: string, options: Arm["options"] = {}): Arm => {
  const { examples, epsilon } = kind === "glyphs" ? GLYPHS : { examples: 20_000, epsilon: 0.3 };
  return {
    recipe,
    model: "small-cnn",
    options: {
      epochs: 8,
      batchSize: 128,
      optimizer: "adam",
      lr: 1e-3,
      weightDecay: 0,
      schedule: "constant",
      epsilon,
      steps: 10,
      relativeStep: 0.25,
      ramp: 2,
      ...options,
    },
    examples,
    measure: { epsilon, examples: 1000, steps: 40 },
  };
};

export const foscDynamic = defineReproduction({
  slug: "fosc-dynamic",
  title: "Dynamic adversarial training: loose attacks first, tight ones later",
  source: "Wang et al. 2019, On the Convergence and Robustness of Adversarial Training",
  kinds: ["mnist", "glyphs"],
  small: async (experiment) => {
    const { arm, co, kind } = experiment,
      many = digits(kind, "pgd-at"),
      { epsilon } = many.measure;
    const dynamic = await arm("dynamic", digits(kind, "fosc-dynamic")),
      fixed = await arm("PGD-10", many),
      loose = await arm(
        "threshold 0.5 throughout",
        digits(kind, "fosc-dynamic", { control: "fosc:cMax=0.5,until=1e9" }),
      ),
      overfitted = await arm("FGSM, zero start", co(fgsm));
    const lastQuarter = ({ history }: Trained): number =>
      history.at(-1)!.gradientEvaluations - history.at(-3)!.gradientEvaluations;
    return {
      "clean, dynamic": dynamic.clean,
      "PGD-40, dynamic": dynamic.pgd,
      "PGD-40, PGD-10 training": fixed.pgd,
      "PGD-40, threshold 0.5": loose.pgd,
      "gradients, dynamic / PGD-10": dynamic.gradientEvaluations / fixed.gradientEvaluations,
      "gradients in the last quarter, threshold 0.5 / dynamic": lastQuarter(loose) / lastQuarter(dynamic),
      ...(await diagnosed(experiment, fixed, epsilon)),
      "share left by FGSM, PGD-10 training": await shareAfterFgsm(experiment, fixed, epsilon),
      "share left by FGSM, FGSM training": await shareAfterFgsm(experiment, overfitted, co(fgsm).measure.epsilon),
    };
  },
  claims: (kind) => [
    onEverySeed({
      text: "dynamic training takes at most 80 % of PGD-10 training's gradients",
      required: kind !== "glyphs",
      threshold: "page",
      unit: "ratio",
      value: (m) => m["gradients, dynamic / PGD-10"]!,
      sign: "<=",
      bound: 0.8,
    }),
    inTheMean({
      text: (bound) => `its PGD-40 accuracy is at most ${bound} below PGD-10 training's, in the mean`,
      required: true,
      ...boundOn(kind, -0.01, -0.04),
      unit: "points",
      value: (m) => m["PGD-40, dynamic"]! - m["PGD-40, PGD-10 training"]!,
      sign: ">=",
    }),
    onEverySeed({
      text: "a threshold of 0.5 throughout is at least 1 point worse, or takes fewer gradients in the last quarter (1: so)",
      required: true,
      threshold: "page",
      unit: "number",
      value: (m) =>
        m["PGD-40, dynamic"]! - m["PGD-40, threshold 0.5"]! >= 0.01 ||
        m["gradients in the last quarter, threshold 0.5 / dynamic"]! < 1
          ? 1
          : 0,
      sign: ">=",
      bound: 1,
    }),
    onEverySeed({
      text: "PGD-10's network: stationarity falls from 1 step to 2, 5, 10, 20 and 40 (largest ratio of neighbours below 1)",
      required: kind !== "glyphs",
      threshold: "page",
      unit: "ratio",
      value: (m) => m["stationarity, largest ratio to fewer steps"]!,
      sign: "<=",
      bound: 1,
    }),
    onEverySeed({
      text: (bound) => `and 40 steps leave at most ${bound} of what FGSM leaves`,
      required: true,
      ...boundOn(kind, 0.1, 0.77),
      unit: "percent",
      value: (m) => m["stationarity, 40 steps / FGSM"]!,
      sign: "<=",
    }),
    onEverySeed({
      text: (bound) =>
        `where attacks leave less of it on an image the loss has risen further: mean rank correlation at least ${bound}`,
      required: true,
      ...boundOn(kind, 0.3, 0.38),
      unit: "number",
      value: (m) => m["rank correlation with the loss, within images"]!,
      sign: ">=",
    }),
    onEverySeed({
      text: (bound) =>
        `FGSM leaves at least ${bound} times the share of it on a network that FGSM training has overfitted`,
      required: true,
      ...boundOn(kind, 5, 1.7),
      unit: "ratio",
      value: (m) => m["share left by FGSM, FGSM training"]! / m["share left by FGSM, PGD-10 training"]!,
      sign: ">=",
    }),
  ],
  full: fullCifar({
    recipe: "fosc-dynamic",
    model: "wide-resnet-34-10",
    options: {
      epochs: 120,
      lr: 0.01,
      weightDecay: 1e-4,
      schedule: "step",
      milestones: [0.5, 0.83],
      epsilon: 0.031,
      control: "fosc:cMax=0.5",
    },
  }),
  notes: [
    "On glyphs (312 updates) dynamic training saves 3 and 2 % of the gradients, and 40 steps of a thirtieth leave more stationarity than 20 of a quarter, on seeds 10 and 11: neither claim is required there.",
    "Stationarity is measured with the box, as black pixels cannot get darker; 1 to 20 steps have a quarter of the radius, 40 steps 0.01. Without the ramp of two epochs networks stay at chance (seed 0: 10.9 % clean).",
    "Gradients, seed 0: the first epoch asks for all 11 of each image, as its stationarity is measured, and so does the last, whose threshold is zero; the six between took 9.4 to 10.3. The threshold starts from half of a mean of 0.39, which the ramp keeps low: the second epoch's mean is 0.65.",
    "The page predicts the diagnostic experiment without having measured it. On seed 0 mean stationarity rises from 0.24 after 1 step to 0.42 after 20, as gradients grow with the loss that the attack has raised. As a share of the radius times the gradient's l1 size it falls from 0.57 to 0.12 at 5 steps, and stays near that; within images that share, not stationarity itself (-0.41), orders attacks by strength (rank correlation 0.80).",
    "The share that FGSM leaves is 0.27 on PGD-10's network and 0.56 on the overfitted one (seed 0). More than 2 cannot be left.",
  ],
});
