import { i64 } from "../../core/index.ts";
import { constant, type Value } from "../../graph/index.ts";
import { crossEntropy } from "../../loss/index.ts";
import { add, gather, mul, reshape, scalarLike, scale, sub } from "../../ops/index.ts";
import { type Branch, defineRecipe, type Term, type View, type ViewContext } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

/** Every row beside the next one: batches come in random order, so partners are random. */
const nextRow = (v: Value): Value => {
  const n = v.shape[0]!;
  return gather(v, constant(i64(Array.from({ length: n }, (_, i) => (i + 1) % n))), 0);
};

/** Images mixed with their partners by a share of their own, uniform in [0, 1): one for all of the batch. */
const mixed = (x: Value, { draw }: ViewContext<unknown>): View => {
  const drawn = draw("uniform", x, [1]),
    share = scale(add(drawn, scalarLike(drawn, 1)), 0.5),
    own = reshape(share, [1, 1, 1, 1]);
  return { x: add(mul(own, x), mul(sub(scalarLike(own, 1), own), nextRow(x))), also: { share } };
};

/** Cross-entropy with the own label and the partner's, in the shares of the images. */
const mixedLoss = (branch: string): Term<unknown> => ({
  name: `cross-entropy of ${branch}`,
  enters: "update",
  reads: [branch],
  weight: 0.5,
  reduction: "mean",
  of: ({ logits, labels, views }) => {
    const share = views[branch]!.also!["share"]!,
      loss = (given: Value): Value => crossEntropy(logits[branch]!, given);
    return add(mul(share, loss(labels)), mul(sub(scalarLike(share, 1), share), loss(nextRow(labels))));
  },
});

const branches = {
  clean: { view: (context) => mixed(context.x, context) },
  adversarial: { view: (context) => mixed(context.attack().points, context) },
} satisfies Record<string, Branch<unknown>>;

export const interpolatedAt = defineRecipe({
  name: "interpolated-at",
  summary:
    "Half of the loss on mixed clean images, half on mixed adversarial ones; the attack knows nothing of mixing.",
  source: "Lamb et al. 2019, Interpolated Adversarial Training",
  options: {},
  settings: { steps: 7 },
  branches: () => branches,
  terms: () => [crossEntropyOf("adversarial", "attack"), mixedLoss("clean"), mixedLoss("adversarial")],
});
