import { stopGradient } from "../../autodiff/index.ts";
import { float, text, TemperError } from "../../core/index.ts";
import type { Value } from "../../graph/index.ts";
import { crossEntropy } from "../../loss/index.ts";
import { add, maximum, minimum, mul, reduceMax, reduceMin, scale, sign, sub } from "../../ops/index.ts";
import { type Branch, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

interface Options {
  readonly taps: string;
  readonly eta: number;
}

/** h moved by eta along the sign of a gradient, within what its channel holds in this example. */
const moved = (h: Value, gradient: Value, eta: number): Value => {
  const axes = h.shape.slice(2).map((_, i) => i + 2);
  const range = (reduce: typeof reduceMax): Value => (axes.length > 0 ? reduce(h, axes, true) : reduce(h, [1], true));
  const change = scale(sign(gradient), eta);
  return add(h, stopGradient(maximum(minimum(change, sub(range(reduceMax), h)), sub(range(reduceMin), h))));
};

const latent: Branch<Options> = {
  view: ({ x, labels, forward, gradient, project, step, options: { taps, eta } }) => {
    const wanted = taps.split(",").filter(Boolean),
      seen: Record<string, Value> = {},
      known: string[] = [];
    const logits = forward(x, (name, h) => {
      known.push(name);
      if (wanted.includes(name)) seen[name] = h;
      return h;
    });
    const missing = wanted.find((name) => !seen[name]);
    if (missing !== undefined)
      throw new TemperError(
        "bad-option",
        `slat: the network has no layer "${missing}" (--taps). Known: ${known.join(", ")}.`,
      );
    const [slope, ...slopes] = gradient(crossEntropy(logits, labels), [x, ...wanted.map((name) => seen[name]!)]);
    const fixed = new Map(wanted.map((name, i) => [name, stopGradient(slopes[i]!)]));
    return {
      x: project(add(x, mul(step, sign(slope!)))),
      tap: (name, h) => (fixed.has(name) ? moved(h, fixed.get(name)!, eta) : h),
    };
  },
};

export const slat = defineRecipe({
  name: "slat",
  summary: "One step on the pixels and on hidden layers at once, along gradients of one backward pass.",
  source: "Park and Lee 2021, Reliably fast adversarial training via latent adversarial perturbation",
  options: {
    taps: text({ default: "conv1,layer1", help: "hidden layers that are moved, by name" }),
    eta: float({ default: 8 / 255, min: 0, help: "how far a hidden value is moved" }),
  },
  settings: { steps: 1, relativeStep: 0.9, start: "zero", attackMode: "train" },
  branches: () => ({ latent }),
  terms: () => [crossEntropyOf("latent", "update")],
});
