import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ReproductionReport } from "temper/report";
import { afterAll, expect, it } from "vitest";
import { documentOf, folder, removeFolder, temper } from "../cli/command.ts";

afterAll(removeFolder);

it("without data a published system runs on glyphs", { timeout: 600_000 }, async () => {
  const outcome = await temper(["reproduce", "bag-of-tricks-fgsm", "--seeds", "0", "--json"]);
  expect(outcome.code, outcome.stderr).toBe(0);
  const report = documentOf(outcome) as unknown as ReproductionReport;
  expect(report).toMatchObject({ kind: "glyphs", held: true, data: { train: { name: "glyphs train", count: 6000 } } });
  for (const form of ["json", "html"])
    expect(existsSync(join(folder, `runs/reproduce/bag-of-tricks-fgsm-glyphs.${form}`))).toBe(true);
});
