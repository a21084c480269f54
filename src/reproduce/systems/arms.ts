import { coCifar, coMnist } from "../fixtures.ts";
import type { Arm, Trained } from "../reproduction.ts";

/** Arms of `co-mnist` and `co-cifar` that several pages compare with. */
export const fgsm: Arm = coMnist({ recipe: "fast-at", options: { start: "zero", relativeStep: 1 } });
export const fgsmRs: Arm = coMnist({ recipe: "fast-at" });
export const nFgsm: Arm = coMnist({ recipe: "n-fgsm" });
export const plainCifar: Arm = coCifar({ recipe: "fast-at", options: { start: "zero", relativeStep: 1 } });
export const pgd5: Arm = coMnist({ recipe: "pgd-at", options: { steps: 5, relativeStep: 0.5 } });

/** 1 - PGD accuracy / FGSM accuracy: from 0.6 on a network counts as collapsed. */
export const collapse = ({ pgd, fgsm: single }: Pick<Trained, "pgd" | "fgsm">): number =>
  1 - pgd / Math.max(single, 1e-9);
export const COLLAPSED = 0.6;
