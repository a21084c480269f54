import { classifierOf, gather, type Target } from "../attack/index.ts";
import { createRng } from "../core/index.ts";
import { type Graph, simplify } from "../graph/index.ts";
import type { Threat } from "../threat/index.ts";
import { logitsOf, predictionsOf, type Standing } from "./cascade.ts";
import { percent } from "./input-doubt.ts";
import type { Doubt } from "./result.ts";

const PROBE = 500;

/** Rows that are non-negative and sum to one: softmax is part of the model. */
export const probabilityDoubt = (graph: Graph, logits: Float32Array, classes: number): Doubt | undefined => {
  const n = Math.min(PROBE, logits.length / classes);
  for (let row = 0; row < n; row++) {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const sum = scores.reduce((s, v) => s + v, 0);
    if (!(Math.abs(sum - 1) <= 1e-3) || scores.some((v) => v < 0)) return undefined;
  }
  if (n === 0) return undefined;
  const last = classifierOf(simplify(graph)).output.node.op.name;
  return {
    code: "probabilities",
    message:
      last === "Softmax"
        ? "The outputs are probabilities. Softmax is the model's last operator, so the attacks raised losses of the scores before it; scores would be the better output."
        : `The outputs are probabilities, not scores, and the model's last operator is ${last}, so the attacks had to go through them: softmax saturates and hides gradients. Export the model without it.`,
  };
};

/** A model that gives NaN has no prediction there. */
export const nonfiniteDoubt = (predictions: Int32Array): Doubt | undefined => {
  const bad = predictions.reduce((sum, p) => sum + (p < 0 ? 1 : 0), 0);
  return bad === 0
    ? undefined
    : {
        code: "nonfinite",
        message: `The model gives NaN on ${bad} of ${predictions.length} examples; they count as wrong.`,
      };
};

/** Attacks follow gradients: where those are exactly zero, what stands may stand only because they saw nothing. */
export const zeroGradientDoubt = ({ slope }: Pick<Standing, "slope">): Doubt | undefined => {
  let attacked = 0,
    blind = 0;
  for (const size of slope) {
    if (size < 0) continue; // no gradient attack looked
    attacked++;
    if (size === 0) blind++;
  }
  return blind < Math.max(1, 0.01 * attacked)
    ? undefined
    : {
        code: "zero-gradients",
        message: `On ${blind} of ${attacked} attacked examples (${percent(blind / attacked)}) every gradient was exactly zero, so the attacks had nothing to follow. That these examples stand shows nothing. Look for rounding, thresholds or saturation in the model, and try another loss (--attack pgd:loss=margin).`,
      };
};

/** Fewer examples than this say nothing about noise against gradients. */
const FEW = 5;

/** Random points of the set, as many as a cheap attack would try, against what the attacks found. */
export const noiseDoubt = async (
  target: Target,
  standing: Standing,
  threat: Threat,
  { seed, batch }: { readonly seed: number; readonly batch: number },
): Promise<Doubt | undefined> => {
  const { d, classes } = target,
    tries = 5;
  const rows = Array.from(standing.labels.keys())
    .filter((i) => standing.brokenAt[i]! > 0)
    .slice(0, PROBE);
  if (rows.length === 0 || threat.epsilon === 0) return undefined;
  const x = gather(standing.x, rows, d),
    fooled = new Uint8Array(rows.length),
    root = createRng(seed).split("noise");
  for (let attempt = 0; attempt < tries; attempt++) {
    const adv = threat.randomStart(x, (row) => root.split(attempt).split(rows[row]!), d);
    const predictions = predictionsOf(await logitsOf(target, adv, batch), classes);
    rows.forEach((row, i) => {
      if (predictions[i] !== standing.labels[row]) fooled[i] = 1;
    });
  }
  const noise = fooled.reduce((a, b) => a + b, 0);
  const found = rows.filter((row) => standing.brokenAt[row]! <= threat.epsilon).length;
  const missed = rows.filter((row, i) => fooled[i] === 1 && standing.brokenAt[row]! > threat.epsilon).length;
  if (missed === 0 && (found > noise || found === rows.length || noise < FEW)) return undefined;
  return {
    code: "weak-gradients",
    message: `${tries} random points of the set broke ${noise} of ${rows.length} examples${missed > 0 ? `, ${missed} of them missed by the attacks,` : ""} and the attacks ${found}: gradients are masked or useless here, and the robust accuracy is not to be trusted.`,
  };
};
