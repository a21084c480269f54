import type { Reproduction } from "../reproduction.ts";
import { awp } from "./awp.ts";
import { backwardSmoothing } from "./backward-smoothing.ts";
import { bagOfTricksFgsm } from "./bag-of-tricks-fgsm.ts";
import { fastAt } from "./fast-at.ts";
import { fastBat } from "./fast-bat.ts";
import { foscDynamic } from "./fosc-dynamic.ts";
import { freeAt } from "./free-at.ts";
import { fwAtAdapt } from "./fw-at-adapt.ts";
import { nFgsm } from "./n-fgsm.ts";
import { pgdAt } from "./pgd-at.ts";
import { robustOverfitting } from "./robust-overfitting.ts";
import { robustSelfTraining } from "./robust-self-training.ts";
import { slat } from "./slat.ts";
import { trades } from "./trades.ts";

/** Every reproduced system by slug. Command line, documentation and tests read this object. */
export const reproductions = {
  "pgd-at": pgdAt,
  trades,
  "fast-at": fastAt,
  "free-at": freeAt,
  "n-fgsm": nFgsm,
  "bag-of-tricks-fgsm": bagOfTricksFgsm,
  "fast-bat": fastBat,
  "backward-smoothing": backwardSmoothing,
  "fosc-dynamic": foscDynamic,
  slat,
  "fw-at-adapt": fwAtAdapt,
  awp,
  "robust-overfitting": robustOverfitting,
  "robust-self-training": robustSelfTraining,
} satisfies Record<string, Reproduction>;
export type Slug = keyof typeof reproductions;
