import { crossEntropy, kl } from "../../loss/index.ts";
import type { Term } from "../recipe.ts";

/** -ln p(label) on a branch, averaged. */
export const crossEntropyOf = (branch: string, enters: Term<unknown>["enters"]): Term<unknown> => ({
  name: "cross-entropy",
  enters,
  reads: [branch],
  reduction: "mean",
  of: ({ logits, byLabel }) => byLabel((labels) => crossEntropy(logits[branch]!, labels)),
});

/** Divergence of what the network says of one branch from what it says of another, averaged. */
export const divergence = (
  from: string,
  to: string,
  weight: number,
  enters: Term<unknown>["enters"],
): Term<unknown> => ({
  name: "kl",
  enters,
  reads: [from, to],
  weight,
  reduction: "mean",
  of: ({ logits }) => kl(logits[from]!, logits[to]!),
});
