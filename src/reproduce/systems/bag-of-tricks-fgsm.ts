import { coMnist, CYCLIC, fullCifar, STANDARDIZED } from "../fixtures.ts";
import {
  type Arm,
  boundOn,
  type Claim,
  type DataKind,
  defineReproduction,
  type Experiment,
  type Measured,
  onEverySeed,
} from "../reproduction.ts";
import { collapse, COLLAPSED, fgsm } from "./arms.ts";

const digits = (kind: DataKind): readonly Claim[] => [
  onEverySeed({
    text: (bound) => `with softplus instead of ReLU FGSM training reaches at least ${bound} under PGD-20`,
    required: true,
    ...boundOn(kind, 0.4, 0.34),
    unit: "percent",
    value: (m) => m["PGD-20, softplus"]!,
    sign: ">=",
  }),
  onEverySeed({
    text: (bound) => `plain FGSM training falls to at most ${bound}`,
    required: true,
    ...boundOn(kind, 0.25, 0.17),
    unit: "percent",
    value: (m) => m["PGD-20, plain"]!,
    sign: "<=",
  }),
  onEverySeed({
    text: "the collapse report flags the plain network (1 - PGD-20 / FGSM from 0.6 on)",
    required: true,
    threshold: "page",
    unit: "number",
    value: (m) => m["collapse, plain"]!,
    sign: ">=",
    bound: COLLAPSED,
  }),
  onEverySeed({
    text: "and not the one with softplus",
    required: true,
    threshold: "page",
    unit: "number",
    value: (m) => m["collapse, softplus"]!,
    sign: "<=",
    bound: COLLAPSED,
  }),
];

const images = (trick: string): readonly Claim[] => [
  onEverySeed({
    text: `with ${trick} FGSM and PGD-20 accuracy differ by at most 4 points`,
    required: true,
    threshold: "page",
    unit: "points",
    value: (m) => m[`gap, ${trick}`]!,
    sign: "<=",
    bound: 0.04,
  }),
  onEverySeed({
    text: `with ${trick} PGD-20 accuracy is at least 4 points above plain FGSM training's`,
    published: "49.8 % under PGD-50 with all tricks, PreActResNet-18, 8/255 (abstract)",
    required: true,
    threshold: "page",
    unit: "points",
    value: (m) => m[`PGD-20, ${trick}`]! - m["PGD-20, plain"]!,
    sign: ">=",
    bound: 0.04,
  }),
  onEverySeed({
    text: `the collapse report (1 - PGD-20 / FGSM from 0.6 on) does not flag the network with ${trick}`,
    required: true,
    threshold: "page",
    unit: "number",
    value: (m) => m[`collapse, ${trick}`]!,
    sign: "<=",
    bound: COLLAPSED,
  }),
];

/** FGSM on the network of two convolutions at 0.3. */
const stem = (stemStride: number): Arm => {
  const arm = coMnist({ recipe: "fast-at", options: { start: "zero", relativeStep: 1, epsilon: 0.3 } });
  return { ...arm, model: "small-cnn", modelOptions: { stemStride }, measure: { ...arm.measure, epsilon: 0.3 } };
};

/** Digits and glyphs; the stems are reported, on digits. */
const onDigits = async ({ arm, co, kind }: Experiment): Promise<Measured> => {
  const plain = await arm("FGSM", co(fgsm)),
    smooth = await arm("FGSM, softplus", co({ ...fgsm, modelOptions: { activation: "softplus", activationBeta: 5 } }));
  return {
    "PGD-20, plain": plain.pgd,
    "PGD-20, softplus": smooth.pgd,
    "collapse, plain": collapse(plain),
    "collapse, softplus": collapse(smooth),
    ...(kind === "mnist" && {
      "PGD-20, stem of stride 1, 0.3": (await arm("stem of stride 1", stem(1))).pgd,
      "PGD-20, stem of stride 2, 0.3": (await arm("stem of stride 2", stem(2))).pgd,
    }),
  };
};

const onImages = async ({ arm, co }: Experiment): Promise<Measured> => {
  const plain = await arm("FGSM", co(fgsm)),
    masked = await arm("random mask", co({ recipe: "bag-of-tricks-fgsm", recipeOptions: { mask: 0.4 } })),
    light = await arm(
      "light first layer",
      co({ recipe: "bag-of-tricks-fgsm", recipeOptions: { mask: 0, firstLayer: 0.1 } }),
    );
  return {
    "gap, plain": plain.fgsm - plain.pgd,
    "PGD-20, plain": plain.pgd,
    "gap, random mask": masked.fgsm - masked.pgd,
    "PGD-20, random mask": masked.pgd,
    "collapse, random mask": collapse(masked),
    "gap, light first layer": light.fgsm - light.pgd,
    "PGD-20, light first layer": light.pgd,
    "collapse, light first layer": collapse(light),
  };
};

export const bagOfTricksFgsm = defineReproduction({
  slug: "bag-of-tricks-fgsm",
  title: "Bag of tricks against the collapse of FGSM training",
  source: "Li et al. 2022, Bag of Tricks for FGSM Adversarial Training",
  kinds: ["cifar10", "mnist", "glyphs"],
  small: (experiment) => (experiment.kind === "cifar10" ? onImages(experiment) : onDigits(experiment)),
  claims: (kind) =>
    kind !== "cifar10"
      ? digits(kind)
      : [
          onEverySeed({
            text: "plain FGSM training leaves a gap of at least 5 points between FGSM and PGD-20",
            required: true,
            threshold: "page",
            unit: "points",
            value: (m) => m["gap, plain"]!,
            sign: ">=",
            bound: 0.05,
          }),
          ...images("random mask"),
          ...images("light first layer"),
        ],
  full: fullCifar({
    recipe: "bag-of-tricks-fgsm",
    recipeOptions: { mask: 0.4, firstLayer: 0.05 },
    model: "preact-resnet-18",
    modelOptions: { activation: "silu", stemStride: 2 },
    ...STANDARDIZED,
    options: { ...CYCLIC, epochs: 30 },
  }),
});
