import { bool, choice } from "../core/index.ts";
import { defineAttack } from "./attack.ts";

/** One step of length epsilon along the steepest direction of the norm; several elements in l1, because of the box. */
export const fgsm = defineAttack({
  name: "fgsm",
  summary: "One gradient step of length epsilon.",
  source: "Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples",
  access: "gradient",
  norms: ["linf", "l2", "l1"],
  options: {
    loss: choice(["cross-entropy", "margin", "dlr"], { default: "cross-entropy", help: "loss that the step raises" }),
    randomStart: bool({ default: false, help: "start at a random point of the set" }),
  },
  loss: ({ loss }) => loss,
  steps: () => 1,
  restarts: () => 1,
  init: ({ x, d, threat, rngFor, options: { randomStart } }) => ({
    adv: randomStart ? threat.noise(x, rngFor, d) : x.slice(), // the driver projects
  }),
  stepLength: ({ threat }) => threat.epsilon, // in l-inf; where sets have no ranges, `step` is asked
  step: ({ d, threat }, state, { gradient }) => {
    const [low, high] = threat.box;
    // l1: the single steepest element would hit the box long before epsilon; so each moves by half of the box.
    const keep = Math.ceil((2 * threat.epsilon) / (high - low));
    threat.ascend(state.adv, gradient, threat.epsilon, d, { keep });
  },
});
