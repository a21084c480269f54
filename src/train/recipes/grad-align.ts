import { bool, float } from "../../core/index.ts";
import { stopGradient } from "../../autodiff/index.ts";
import type { Value } from "../../graph/index.ts";
import { crossEntropy } from "../../loss/index.ts";
import {
  add,
  cast,
  div,
  greater,
  maximum,
  mul,
  reduceSum,
  scalarLike,
  sqrt,
  square,
  sub,
  where,
} from "../../ops/index.ts";
import { adversarial, clean, defineRecipe, type Term } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

interface Options {
  readonly lambda: number;
  readonly detach: boolean;
}

const sumRows = (v: Value): Value =>
  reduceSum(
    v,
    v.shape.slice(1).map((_, i) => i + 1),
  );

/** 1 - cosine of the gradients at the example and beside it; examples where one of them vanishes do not count. */
const misalignment = ({ lambda, detach }: Options): Term<Options> => ({
  name: "misalignment",
  enters: "update",
  reads: ["clean"],
  weight: lambda,
  reduction: "none",
  of: ({ views, region, byLabel, forward, gradient, draw }) => {
    const slopeAt = (x: Value): Value =>
      gradient(
        byLabel((labels) => crossEntropy(forward(x), labels)),
        [x],
      )[0]!;
    const x = views["clean"]!.x,
      beside = add(x, mul(region.epsilon, draw("uniform", x)));
    const here = slopeAt(x),
      a = detach ? stopGradient(here) : here,
      b = slopeAt(beside);
    const lengths = mul(sumRows(square(a)), sumRows(square(b))),
      counts = greater(lengths, scalarLike(lengths, 0));
    // Roots of 0 have no slope: those rows take another number, and are left out.
    const cosine = div(sumRows(mul(a, b)), sqrt(where(counts, lengths, scalarLike(lengths, 1))));
    const rows = where(counts, sub(scalarLike(cosine, 1), cosine), scalarLike(cosine, 0)),
      number = reduceSum(cast(counts, "float32"), [0]);
    return div(reduceSum(rows, [0]), maximum(number, scalarLike(number, 1)));
  },
});

export const gradAlign = defineRecipe({
  name: "grad-align",
  summary: "One step from the example, and gradients that point the same way beside it: by double backpropagation.",
  source: "Andriushchenko and Flammarion 2020, Understanding and Improving Fast Adversarial Training",
  options: {
    lambda: float({ default: 0.2, min: 0, help: "weight of the misalignment" }),
    detach: bool({ default: true, help: "only the gradient beside the example is differentiated" }),
  },
  settings: { steps: 1, relativeStep: 1, start: "zero", attackMode: "train" },
  branches: () => ({ adversarial, clean }),
  terms: (options: Options) => [crossEntropyOf("adversarial", "both"), misalignment(options)],
});
