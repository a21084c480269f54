import { fosc, type Raised } from "../../attack/index.ts";
import { filledLike, vjp } from "../../autodiff/index.ts";
import type { Value } from "../../graph/index.ts";
import { crossEntropy } from "../../loss/index.ts";
import { add, div, maximum, mul, reduceL1, scalarLike, sub } from "../../ops/index.ts";
import { climbed, meanOf, rowsOf, spearman, type Traced } from "../measures.ts";
import type { Experiment, Measured, Trained } from "../reproduction.ts";
import { examplesOf } from "../run.ts";

/** Attacks from the same random start, by their steps; the page gives 0.01 as the length of 40 steps. */
const ATTACKS = [
  ...[1, 2, 5, 10, 20].map((steps) => ({ steps, length: 0.25 })),
  { steps: 40, length: 0.01 / 0.3 },
] as const;

/**
 * Of every example after an attack: its stationarity, with the box (black pixels cannot get darker); that as a share of
 * ε‖g‖₁, as gradients grow with the loss; and how far the loss has risen.
 */
const stationarity = (
  at: Traced,
  name: string,
  start: Value,
  climb: (typeof ATTACKS)[number],
): Readonly<Record<string, Value>> => {
  const raise = (points: Value): Raised => {
    const logits = at.forward(points);
    return { rows: crossEntropy(logits, at.labels), logits };
  };
  const point = climbed(at, start, raise, climb),
    { rows } = raise(point),
    gradient = vjp([rows], [filledLike(rows, 1)], [point])[0]!;
  const left = fosc({ point, gradient }, at, true);
  return {
    [`left ${name}`]: left,
    [`share ${name}`]: div(
      left,
      maximum(mul(at.epsilon, reduceL1(gradient, [1, 2, 3], false)), scalarLike(left, 1e-30)),
    ),
    [`rise ${name}`]: sub(rows, raise(at.x).rows),
  };
};

/** FGSM's result: where its network is immune to single steps, far from stationary. */
export const shareAfterFgsm = async (
  { test, seed }: Experiment,
  { modelPath }: Trained,
  epsilon: number,
): Promise<number> => {
  const images = examplesOf(test, 500, 0);
  const rows = await rowsOf({ modelPath, images, epsilon, seed }, (at) =>
    stationarity(at, "FGSM", at.x, { steps: 1, length: 1 }),
  );
  return meanOf(rows["share FGSM"]!);
};

/** What stationarity says of attacks of different strength on a network. */
export const diagnosed = async (
  { test, seed }: Experiment,
  { modelPath }: Trained,
  epsilon: number,
): Promise<Measured> => {
  const images = examplesOf(test, 500, 0),
    names = [...ATTACKS.map(({ steps }) => String(steps)), "FGSM"];
  const rows = await rowsOf({ modelPath, images, epsilon, seed }, (at) => {
    const start = at.project(add(at.x, mul(at.epsilon, at.draw("uniform", at.x)))),
      found = ATTACKS.map((climb) => stationarity(at, String(climb.steps), start, climb));
    return Object.assign({}, ...found, stationarity(at, "FGSM", at.x, { steps: 1, length: 1 }));
  });
  const means = ATTACKS.map(({ steps }) => meanOf(rows[`left ${steps}`]!));
  const of = (what: string, i: number): number[] => names.map((name) => rows[`${what} ${name}`]![i]!);
  const within = (what: string): number => {
    const found = Array.from(images.labels, (_, i) => spearman(of(what, i), of("rise", i)));
    return -meanOf(found.filter((v) => !Number.isNaN(v))); // NaN: attacks all alike
  };
  const all = (what: string): number[] => names.flatMap((name) => rows[`${what} ${name}`]!);
  return {
    ...Object.fromEntries(ATTACKS.map(({ steps }, i) => [`stationarity, ${steps} steps`, means[i]!])),
    ...Object.fromEntries(ATTACKS.map(({ steps }) => [`its share, ${steps} steps`, meanOf(rows[`share ${steps}`]!)])),
    "stationarity, largest ratio to fewer steps": Math.max(...means.slice(1).map((v, i) => v / means[i]!)),
    "stationarity, 40 steps / FGSM": means.at(-1)! / meanOf(rows["left FGSM"]!),
    "rank correlation with the loss, within images": within("left"),
    "rank correlation with the loss, over all images": -spearman(all("left"), all("rise")),
    "rank correlation of the share, within images": within("share"),
  };
};
