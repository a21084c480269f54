import { crossEntropyLoss, klLoss } from "./cross-entropy.ts";
import type { LossType } from "./loss.ts";
import { dlrLoss, marginLoss, targetedDlrLoss, targetedMarginLoss } from "./margin.ts";

export { crossEntropy, kl } from "./cross-entropy.ts";
export type { LossNeeds, LossType } from "./loss.ts";
export { dlr, margin, targetedDlr, targetedMargin } from "./margin.ts";
export * from "./rows.ts";

/** Every loss by name. Attacks, command line, documentation and tests read this object. */
export const losses = {
  "cross-entropy": crossEntropyLoss,
  margin: marginLoss,
  dlr: dlrLoss,
  "targeted-margin": targetedMarginLoss,
  "targeted-dlr": targetedDlrLoss,
  kl: klLoss,
} satisfies Record<string, LossType>;
export type LossName = keyof typeof losses;
