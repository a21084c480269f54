import { coCifar, fullCifar, STANDARDIZED } from "../fixtures.ts";
import { defineReproduction, onEverySeed } from "../reproduction.ts";
import { plainCifar } from "./arms.ts";

export const slat = defineReproduction({
  slug: "slat",
  title: "Single-step latent adversarial training",
  source: "Park and Lee 2021, Reliably fast adversarial training via latent adversarial perturbation",
  kinds: ["cifar10"],
  small: async ({ arm }) => {
    const plain = await arm("FGSM", plainCifar),
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
      unit: "points",
      value: (m) => m["gap, FGSM"]!,
      sign: ">=",
      bound: 0.05,
    }),
    onEverySeed({
      text: "with latent perturbations it is at most 4 points",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["gap, SLAT"]!,
      sign: "<=",
      bound: 0.04,
    }),
  ],
  full: fullCifar({
    recipe: "slat",
    model: "wide-resnet-28-10",
    recipeOptions: { taps: "conv1,block1" },
    ...STANDARDIZED,
    options: { epochs: 30, lr: 0.2, schedule: "cyclic" },
  }),
});
