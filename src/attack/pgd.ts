import { bool, choice, float, int } from "../core/index.ts";
import { type AttackContext, defineAttack } from "./attack.ts";

const stepLength = ({
  threat,
  steps,
  options: { stepSize },
}: Pick<AttackContext<{ readonly stepSize: number }>, "threat" | "steps" | "options">): number =>
  stepSize || (2.5 * threat.epsilon) / steps;

export const pgd = defineAttack({
  name: "pgd",
  summary: "Projected gradient ascent; the best of all steps and restarts counts.",
  source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks",
  access: "gradient",
  norms: ["linf", "l2", "l1"],
  options: {
    steps: int({ default: 40, min: 1, help: "gradient steps" }),
    stepSize: float({ default: 0, min: 0, help: "length of a step, in epsilon's units; 0: 2.5 epsilon / steps" }),
    restarts: int({ default: 1, min: 1, help: "independent starts; only unbroken examples start again" }),
    randomStart: bool({ default: true, help: "start at a random point of the set, else at the example" }),
    loss: choice(["cross-entropy", "margin", "dlr"], { default: "cross-entropy", help: "loss that the steps raise" }),
  },
  loss: ({ loss }) => loss,
  steps: ({ steps }) => steps,
  restarts: ({ restarts }) => restarts,
  init: ({ x, d, threat, rngFor, options: { randomStart } }) => ({
    adv: randomStart ? threat.noise(x, rngFor, d) : x.slice(), // the driver projects
  }),
  stepLength,
  step: (context, state, { gradient }) => context.threat.ascend(state.adv, gradient, stepLength(context), context.d),
});
