import type { Dataset } from "../data/index.ts";
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

const claimRow = ({ text, published, required, threshold, held, values }: ClaimResult): ClaimRow => ({
  text,
  published: published ?? null,
  required,
  threshold,
  held,
  values: values.map(finite),
  mean: finite(meanOf(values)),
  spread: values.length < 2 ? null : finite(deviationOf(values)),
});
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const deviationOf = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, v) => sum + (v - meanOf(values)) ** 2, 0) / (values.length - 1));

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
