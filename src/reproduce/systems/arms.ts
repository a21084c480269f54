import type { DataKind, Given, Trained } from "../reproduction.ts";

/** What several pages compare with, on the shared fixture of the kind of data. */
export const fgsm: Given = { recipe: "fast-at", options: { start: "zero", relativeStep: 1 } };
export const fgsmRs: Given = { recipe: "fast-at" };
export const nFgsm = (kind: DataKind): Given => ({ recipe: "n-fgsm", options: warmed(kind) });
export const pgd5: Given = { recipe: "pgd-at", options: { steps: 5, relativeStep: 0.5 } };

/** On glyphs the radius grows over five epochs: from the start at its full size, much noise or a penalty lets nothing be learned. */
export const warmed = (kind: DataKind): Readonly<Record<string, number>> => (kind === "glyphs" ? { ramp: 5 } : {});

/** 1 - PGD accuracy / FGSM accuracy: from 0.6 on a network counts as collapsed. */
export const collapse = ({ pgd, fgsm: single }: Pick<Trained, "pgd" | "fgsm">): number =>
  1 - pgd / Math.max(single, 1e-9);
export const COLLAPSED = 0.6;
