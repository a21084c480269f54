import type { Arm, DataKind, Given, Reproduction } from "./reproduction.ts";

/** Adam, coupled decay, a triangle of 15 epochs, batches of 128: what the arms of `co-mnist` and `co-cifar` share. */
const USUAL = {
  optimizer: "adam",
  lr: 3e-3,
  weightDecay: 5e-4,
  schedule: "cyclic",
  batchSize: 128,
} as const;

const CENTERED = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;

/**
 * `co-mnist`: 5,000 digits, a network of one convolution with four filters, l-inf 0.2, 15 epochs; PGD-20 on 1,000 test
 * images. On it training with one step collapses within seconds.
 */
export const coMnist = ({ recipe, recipeOptions = {}, modelOptions = {}, options = {} }: Given): Arm => ({
  recipe,
  recipeOptions,
  model: "co-net",
  modelOptions: { filters: 4, ...modelOptions },
  options: { ...USUAL, epochs: 15, epsilon: 0.2, ...options },
  examples: 5000,
  measure: { epsilon: 0.2, examples: 1000 },
});

/** What experiments on digits take on the built-in glyphs: 5,000 of the 6,000, and a smaller radius, as glyphs bear less. */
export const GLYPHS = { epsilon: 0.15, examples: 5000 } as const;

/** `co-glyphs`: `co-mnist` on 5,000 glyphs at l-inf 0.15. */
export const coGlyphs = ({ options = {}, ...given }: Given): Arm => {
  const { epsilon, examples } = GLYPHS,
    arm = coMnist({ ...given, options: { epsilon, ...options } });
  return { ...arm, examples, measure: { ...arm.measure, epsilon } };
};

/** `co-cifar`: the same on 8,000 images of CIFAR-10 with flips, l-inf 10/255, 20 epochs; pixels standardized inside. */
export const coCifar = ({ recipe, recipeOptions = {}, modelOptions = {}, options = {} }: Given): Arm => ({
  recipe,
  recipeOptions,
  model: "co-net",
  modelOptions: { filters: 4, ...modelOptions },
  ...CENTERED,
  options: { ...USUAL, epochs: 20, epsilon: 10 / 255, augment: "flip", ...options },
  examples: 8000,
  measure: { epsilon: 10 / 255, examples: 1000 },
});

/** The shared fixture of each kind of data. */
export const coFixtures = { mnist: coMnist, cifar10: coCifar, glyphs: coGlyphs } satisfies Record<DataKind, unknown>;

/**
 * `rof`: 1,500 images of CIFAR-10 without augmentation, 16 filters, l-inf 4/255, PGD-3, 40 epochs of batches of 100, the
 * rate a tenth after 60 %: adversarial training overfits.
 */
export const rof = ({ recipe, recipeOptions = {}, modelOptions = {}, options = {} }: Given): Arm => ({
  recipe,
  recipeOptions,
  model: "co-net",
  modelOptions: { filters: 16, ...modelOptions },
  ...CENTERED,
  options: {
    ...USUAL,
    lr: 1e-3,
    weightDecay: 0,
    schedule: "step",
    milestones: [0.6],
    batchSize: 100,
    epochs: 40,
    epsilon: 4 / 255,
    steps: 3,
    ...options,
  },
  examples: 1500,
  measure: { epsilon: 4 / 255, examples: 1000, steps: 10 },
});

/** Means and deviations of CIFAR-10's channels. */
export const STANDARDIZED = { mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616] } as const;
/** Learning rates: up to 0.2 and down again, as single-step methods publish; 0.1 with a tenth after a half and three quarters. */
export const CYCLIC = { lr: 0.2, schedule: "cyclic", knots: [0, 0.5, 1] } as const;
export const STEPPED = { lr: 0.1, schedule: "step", milestones: [0.5, 0.75] } as const;

/** A paper's own configuration on CIFAR-10: SGD with momentum, crops and flips, l-inf 8/255, unless it says otherwise. */
export const fullCifar = ({ options, ...own }: Omit<Reproduction["full"], "data">): Reproduction["full"] => ({
  data: "cifar10",
  ...own,
  options: { momentum: 0.9, weightDecay: 5e-4, batchSize: 128, epsilon: 8 / 255, augment: "crop,flip", ...options },
});
