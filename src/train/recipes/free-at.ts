import { add, mul, scalarLike, scale } from "../../ops/index.ts";
import { graphNorms } from "../../threat/index.ts";
import { type Branch, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

/** Beyond any pixel. */
const FAR = 1e30;

const replayed: Branch<unknown> = {
  view: ({ attack }) => attack({ steps: 0 }).points,
  carry: ({ before, gradient, point, norm, epsilon, low, high }) => {
    const moves = graphNorms[norm],
      free = { epsilon, low: scalarLike(before, -FAR), high: scalarLike(before, FAR) };
    const moved = add(before, mul(epsilon, moves.steepest(gradient, { adv: point, epsilon, low, high })));
    return moves.project(scale(before, 0), moved, free);
  },
};

export const freeAt = defineRecipe({
  name: "free-at",
  summary: "Every batch several times: one backward pass moves the weights and the perturbation, which is never reset.",
  source: "Shafahi et al. 2019, Adversarial Training for Free!",
  options: {},
  settings: { replays: 8, start: "previous", steps: 0, attackMode: "train" },
  branches: () => ({ adversarial: replayed }),
  terms: () => [crossEntropyOf("adversarial", "both")],
});
