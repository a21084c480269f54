import type { Dataset } from "../data/index.ts";
import { meanInterval } from "../evaluate/index.ts";
import type { ArmRow, ClaimRow, ReproductionReport } from "../report/index.ts";
import type { ArmResult, ClaimResult, ReproduceResult, Reproduction } from "../reproduce/index.ts";
import { describeMachine } from "../runtime/index.ts";
import { partOf } from "./reproduce-data.ts";
import { numbersOf } from "./train-page.ts";

interface Given {
  readonly train: Dataset;
  readonly test: Dataset;
  readonly command: string;
}

/** The document of a reproduction. */
export const reproductionReport = (
  { slug, title, source, notes = [] }: Reproduction,
  { kind, seeds, held, claims, measured, arms, seconds }: ReproduceResult,
  { train, test, command }: Given,
): ReproductionReport => ({
  schema: "temper.reproduction/1",
  slug,
  title,
  source,
  command,
  createdAt: new Date().toISOString(),
  scale: "small",
  kind,
  data: { train: partOf(train), test: partOf(test) },
  seeds,
  held,
  claims: claims.map(claimRow),
  measured,
  arms: arms.map(armRow),
  notes,
  seconds: { total: seconds, training: arms.reduce((sum, arm) => sum + arm.seconds, 0) },
  machine: describeMachine(),
});

const claimRow = ({ text, published, required, threshold, unit, held, values }: ClaimResult): ClaimRow => {
  const { mean, low, high } = meanInterval(values),
    [least, most] = LIMITS[unit];
  return {
    text,
    published: published ?? null,
    required,
    threshold,
    held,
    unit,
    values: values.map(finite),
    mean: finite(mean),
    low: finite(Math.max(least, low)),
    high: finite(Math.min(most, high)),
  };
};
/** What a number of the unit can be. */
const LIMITS = {
  percent: [0, 1],
  points: [-1, 1],
  ratio: [0, Infinity],
  number: [-Infinity, Infinity],
} as const satisfies Record<ClaimRow["unit"], unknown>;
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

const armRow = ({ name, seed, arm, clean, fgsm, pgd, gradientEvaluations, seconds, history }: ArmResult): ArmRow => ({
  name,
  seed,
  configuration: arm,
  clean,
  fgsm,
  pgd,
  gradientEvaluations,
  seconds,
  history: history.map(numbersOf),
});
