import { CYCLIC, fullCifar, STANDARDIZED } from "../fixtures.ts";
import { boundOn, defineReproduction, onEverySeed } from "../reproduction.ts";
import { collapse, COLLAPSED, nFgsm } from "./arms.ts";

export const fastBat = defineReproduction({
  slug: "fast-bat",
  title: "Fast-BAT: bi-level training with an implicit gradient",
  source:
    "Zhang et al. 2022, Revisiting and Advancing Fast Adversarial Training Through the Lens of Bi-Level Optimization",
  kinds: ["mnist", "glyphs"],
  small: async ({ arm, co, kind }) => {
    const bat = await arm("Fast-BAT", co({ recipe: "fast-bat" })),
      direct = await arm("without the implicit term", co({ recipe: "fast-bat", recipeOptions: { cross: false } })),
      noise = await arm("N-FGSM", co(nFgsm(kind)));
    return {
      "PGD-20, Fast-BAT": bat.pgd,
      "clean, Fast-BAT": bat.clean,
      "PGD-20, without the implicit term": direct.pgd,
      "clean, N-FGSM": noise.clean,
      "collapse, Fast-BAT": collapse(bat),
    };
  },
  claims: (kind) => [
    onEverySeed({
      text: (bound) => `Fast-BAT reaches at least ${bound} under PGD-20, with the attack's rate found by itself`,
      published: "48.83 % on CIFAR-10 at 8/255, PGD-50-10 (from memory)",
      required: true,
      ...boundOn(kind, 0.4, 0.41),
      unit: "percent",
      value: (m) => m["PGD-20, Fast-BAT"]!,
      sign: ">=",
    }),
    onEverySeed({
      text: "its clean accuracy is above N-FGSM's",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["clean, Fast-BAT"]! - m["clean, N-FGSM"]!,
      sign: ">=",
      bound: 0,
    }),
    onEverySeed({
      text: "no collapse: 1 - PGD-20 / FGSM accuracy stays below 0.6",
      required: true,
      threshold: "page",
      unit: "number",
      value: (m) => m["collapse, Fast-BAT"]!,
      sign: "<=",
      bound: COLLAPSED,
    }),
  ],
  full: fullCifar({
    recipe: "fast-bat",
    recipeOptions: { attackRate: 5000 / 255, lambda: 10 },
    model: "preact-resnet-18",
    ...STANDARDIZED,
    options: { ...CYCLIC, epochs: 20, holdOut: 5000, select: "best" },
  }),
});
