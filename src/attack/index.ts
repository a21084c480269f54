import type { AnyAttack } from "./attack.ts";
import { apgd } from "./apgd.ts";
import { fgsm } from "./fgsm.ts";
import { pgd } from "./pgd.ts";

/** Every attack by name. Command line, documentation and tests read this object. */
export const attacks = { fgsm, pgd, "apgd-ce": apgd } satisfies Record<string, AnyAttack>;
export type AttackName = keyof typeof attacks;

export * from "./attack.ts";
export * from "./driver.ts";
export { gather } from "./front.ts";
export { ascentGraph } from "./ascent-graph.ts";
export { attackStepGraph, classifierOf, type Ends, gradientGraph } from "./gradient-graph.ts";
export type { AttackRequest, AttackResult } from "./request.ts";
export * from "./target.ts";
export { predictionOf } from "./verdict.ts";
export { apgd, checkpoints } from "./apgd.ts";
export { fgsm } from "./fgsm.ts";
export { pgd } from "./pgd.ts";
export * from "./inner.ts";
export * from "./rules.ts";
export * from "./start.ts";
export * from "./starts.ts";
