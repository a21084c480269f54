import { coMnist, CYCLIC, fullCifar, STANDARDIZED } from "../fixtures.ts";
import { type Arm, defineReproduction, onEverySeed } from "../reproduction.ts";
import { collapse, COLLAPSED, fgsm, fgsmRs } from "./arms.ts";

/** The repository's MNIST recipe: all 60,000 digits, l-inf 0.3, ten epochs. */
const whole: Arm = {
  recipe: "fast-at",
  model: "small-cnn",
  options: { epochs: 10, batchSize: 100, optimizer: "adam", lr: 5e-3, weightDecay: 0, epsilon: 0.3, guard: "warn" },
  examples: 60_000,
  measure: { epsilon: 0.3, examples: 1000, steps: 50, restarts: 10 },
};

export const fastAt = defineReproduction({
  slug: "fast-at",
  title: "FGSM with a random start, and its collapse",
  source: "Wong, Rice, Kolter 2020, Fast is better than free: Revisiting adversarial training",
  kinds: ["mnist"],
  small: async ({ arm }) => {
    const zero = await arm("FGSM, zero start", fgsm),
      random = await arm("FGSM-RS", fgsmRs),
      guarded = await arm("FGSM-RS with guard", coMnist({ recipe: "fast-at", options: { guard: "rollback" } })),
      full = await arm("the repository's recipe", whole);
    const spoke = guarded.history.some(({ probe }) => probe !== null && collapse(probe) >= COLLAPSED);
    return {
      "FGSM - PGD-20, zero start": zero.fgsm - zero.pgd,
      "PGD-20, FGSM-RS": random.pgd,
      "PGD-20, FGSM-RS with guard": guarded.pgd,
      "guard ended the run": spoke || guarded.history.length < 15 ? 1 : 0,
      "PGD-50-10, 60,000 digits": full.pgd,
      "clean, 60,000 digits": full.clean,
    };
  },
  claims: () => [
    onEverySeed({
      text: "with zero start FGSM accuracy ends at least 40 points above PGD-20",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["FGSM - PGD-20, zero start"]!,
      sign: ">=",
      bound: 0.4,
    }),
    onEverySeed({
      text: "the guard ends FGSM-RS, and its network has at least 10 points more PGD-20 accuracy than the last epoch's",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => (m["PGD-20, FGSM-RS with guard"]! - m["PGD-20, FGSM-RS"]!) * m["guard ended the run"]!,
      sign: ">=",
      bound: 0.1,
    }),
    onEverySeed({
      text: "the repository's MNIST recipe reaches at least 80 % under PGD-50-10",
      published: "parity with PGD training within about a point on MNIST (from memory)",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["PGD-50-10, 60,000 digits"]!,
      sign: ">=",
      bound: 0.8,
    }),
  ],
  full: fullCifar({
    recipe: "fast-at",
    model: "preact-resnet-18",
    ...STANDARDIZED,
    options: { ...CYCLIC, epochs: 15, guard: "stop" },
  }),
});
