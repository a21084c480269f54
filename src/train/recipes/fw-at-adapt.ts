import { choice } from "../../core/index.ts";
import {
  abs,
  cast,
  clip,
  div,
  greater,
  maximum,
  mul,
  reduceMean,
  reduceSum,
  scalarLike,
  sign,
  sqrt,
  square,
  sub,
} from "../../ops/index.ts";
import type { Value } from "../../graph/index.ts";
import { type Branch, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

interface Options {
  readonly denominator: "support" | "dims";
}

const sumRows = (v: Value): Value =>
  reduceSum(
    v,
    v.shape.slice(1).map((_, i) => i + 1),
  );

/** Frank-Wolfe points, cut to the box at the end: the length of a change tells of signs that flipped only before that. */
const frankWolfe: Branch<Options> = {
  view: ({ attack, x, epsilon, low, high, options }) => {
    const { points, first } = attack({ watch: ({ gradient }) => abs(sign(gradient)) });
    const seen =
      options.denominator === "support" && first ? first : cast(greater(abs(x), scalarLike(x, -1)), "float32");
    const change = mul(sub(points, x), seen),
      most = mul(epsilon, sqrt(maximum(sumRows(seen), scalarLike(x, 1))));
    const distortion = div(sqrt(sumRows(square(change))), most);
    return { x: clip(points, low, high), reports: { distortion: reduceMean(distortion, [0]) } };
  },
};

export const fwAtAdapt = defineRecipe({
  name: "fw-at-adapt",
  summary: "Frank-Wolfe adversarial training: how far the attack's signs agree sets the number of its steps.",
  source: "Tsiligkaridis and Roberts 2022, Understanding and Increasing Efficiency of Frank-Wolfe Adversarial Training",
  options: {
    denominator: choice(["support", "dims"], {
      default: "support",
      help: "distortion over the pixels that had a gradient at the example, or over all",
    }),
  },
  settings: { rule: "frank-wolfe", start: "zero", project: "none", steps: 2, control: "fw-adapt" },
  branches: () => ({ adversarial: frankWolfe }),
  terms: () => [crossEntropyOf("adversarial", "both")],
});
