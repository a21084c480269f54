import { float } from "../core/index.ts";
import { add, mul, scale, sign } from "../ops/index.ts";
import { defineStart } from "./start.ts";

export const randomSign = defineStart({
  name: "random-sign",
  summary: "A step of random signs: out of the flat spot that single-step training makes around the example.",
  source: "Tramèr et al. 2018, Ensemble Adversarial Training: Attacks and Defenses (R+FGSM)",
  options: { scale: float({ default: 0.5, min: 0, help: "length of the step, in radii of the set" }) },
  build: ({ x, epsilon, draw, options }) => add(x, mul(sign(draw("normal", x)), scale(epsilon, options.scale))),
});
