import { coCifar } from "../fixtures.ts";
import { defineReproduction, onEverySeed } from "../reproduction.ts";

export const slat = defineReproduction({
  slug: "slat",
  title: "Single-step latent adversarial training",
  source: "Park and Lee 2021, Reliably fast adversarial training via latent adversarial perturbation",
  kinds: ["cifar10"],
  small: async ({ arm }) => {
    const plain = await arm("FGSM", coCifar({ recipe: "fast-at", options: { start: "zero", relativeStep: 1 } })),
      latent = await arm(
        "SLAT, eta = 2 eps",
        coCifar({ recipe: "slat", recipeOptions: { taps: "conv", eta: 20 / 255 } }),
      );
    return {
      "gap, FGSM": plain.fgsm - plain.pgd,
      "gap, SLAT": latent.fgsm - latent.pgd,
      "PGD-20, FGSM": plain.pgd,
      "PGD-20, SLAT": latent.pgd,
      "clean, SLAT": latent.clean,
    };
  },
  claims: () => [
    onEverySeed({
      text: "FGSM training leaves a gap of at least 5 points between FGSM and PGD-20",
      required: true,
      threshold: "page",
      value: (m) => m["gap, FGSM"]!,
      sign: ">=",
      bound: 0.05,
    }),
    onEverySeed({
      text: "with latent perturbations it is at most 4 points",
      required: true,
      threshold: "page",
      value: (m) => m["gap, SLAT"]!,
      sign: "<=",
      bound: 0.04,
    }),
  ],
  full: {
    data: "cifar10",
    recipe: "slat",
    model: "wide-resnet-28-10",
    recipeOptions: { taps: "conv1,block1" },
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.2471, 0.2435, 0.2616],
    options: {
      epochs: 30,
      lr: 0.2,
      momentum: 0.9,
      weightDecay: 5e-4,
      batchSize: 128,
      schedule: "cyclic",
      epsilon: 8 / 255,
      augment: "crop,flip",
    },
  },
});
