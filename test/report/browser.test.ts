import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { renderReport, renderReproduction, renderTraining } from "temper/report";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { executablePath } from "../chromium.ts";
import { sampleReproduction } from "./reproduction-sample.ts";
import { type SampleForm, sampleDoubts, sampleResult } from "./sample.ts";
import { sampleTraining } from "./training-sample.ts";

if (executablePath === undefined)
  console.log("skipped: the report in a browser (no Chromium found; name one in the environment variable CHROMIUM)");

const long = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => `<b>a_class_${"x".repeat(40)}_${i}`);
const forms: Readonly<Record<string, SampleForm>> = {
  "grey images": { doubts: sampleDoubts },
  "colour images": { shape: [3, 32, 32] },
  "100 classes": {
    shape: [3, 32, 32],
    classes: long(100),
    count: 5000,
    norm: "l2",
    epsilon: 0.5,
    sweep: [0.25, 0.5, 1],
  },
  "20 long names": { classes: long(20), doubts: [{ code: "x".repeat(80), message: "y".repeat(400) }] },
  vectors: { shape: [24], classes: ["benign", "malignant"], norm: "l1", epsilon: 2, sweep: [1, 2, 3] },
};

/** Run in the page: what is wider than the window (boxes that scroll on their own are allowed), and broken pictures. */
const look = `(() => {
  const width = document.documentElement.clientWidth;
  const out = [...document.querySelectorAll("body *")].filter(
    (e) => !e.closest(".scroll table, defs") && e.getBoundingClientRect().right > width + 1,
  );
  return {
    scroll: document.documentElement.scrollWidth - width,
    out: out.map((e) => e.tagName + "." + e.getAttribute("class")),
    broken: [...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length,
    charts: [...document.querySelectorAll(":is(#curve, #curves) figure svg[viewBox][role=img]")].filter((e) => e.getBoundingClientRect().width > 0).length,
    clipped: [...document.querySelectorAll(":is(#curve, #curves) figure svg[role=img]")].flatMap((svg) => {
      const frame = svg.getBoundingClientRect();
      return [...svg.querySelectorAll("text")].filter((t) => {
        const box = t.getBoundingClientRect();
        return box.width > 0 && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
      }).map((t) => t.textContent);
    }),
  };
})()`;

interface Case {
  readonly page: string;
  /** Charts that must show at every width. */
  readonly charts: number;
}
const longName = "a_long_name_of_a_recipe".repeat(4);
const cases: Readonly<Record<string, () => Case>> = {
  ...Object.fromEntries(
    Object.entries(forms).map(([name, form]) => [name, () => ({ page: renderReport(sampleResult(form)), charts: 1 })]),
  ),
  "a finished run": () => ({ page: renderTraining(sampleTraining()), charts: 9 }),
  "a run with long names": () => {
    const run = sampleTraining({ notes: [{ at: 3, message: "x".repeat(300) }] });
    const history = run.history.map((record) => ({ ...record, [longName]: 1e-7, [`loss/${longName}`]: -123456.7 }));
    return {
      page: renderTraining({ ...run, title: longName, config: { ...run.config, [longName]: longName }, history }),
      charts: 10,
    };
  },
  "a reproduction": () => ({ page: renderReproduction(sampleReproduction()), charts: 6 }),
  "a reproduction with long names": () => {
    const sample = sampleReproduction({
      seeds: Array.from({ length: 10 }, (_, i) => i),
      arms: [longName, "b".repeat(60)],
    });
    const claims = sample.claims.map((claim) => ({ ...claim, text: longName, published: longName }));
    return { page: renderReproduction({ ...sample, title: longName, notes: [longName], claims }), charts: 6 };
  },
};

describe.skipIf(executablePath === undefined)("the report in a browser", () => {
  let browser: Browser, folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "temper-report-"));
    const args = [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
    ];
    args.push("--disable-component-update", "--disable-sync");
    browser = await chromium.launch({ executablePath: executablePath!, args });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  const shown = Object.keys(cases).flatMap((name) =>
    (["light", "dark"] as const).map((colorScheme) => ({ name, colorScheme })),
  );
  it.each(shown)("$name, $colorScheme: fits at every width, and nothing fails", async ({ name, colorScheme }) => {
    const file = join(folder, `${name.replaceAll(" ", "-")}.html`);
    const { page: source, charts } = cases[name]!();
    if (!existsSync(file)) writeFileSync(file, source);
    const page = await browser.newPage({ colorScheme });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    for (const width of [1280, 768, 360, 320])
      for (const open of [false, true]) {
        await page.setViewportSize({ width, height: 800 });
        await page.evaluate(`document.querySelectorAll("details").forEach((d) => { d.open = ${open}; })`);
        const seen = await page.evaluate(look);
        expect({ width, open, ...(seen as object) }).toEqual({
          width,
          open,
          scroll: 0,
          out: [],
          broken: 0,
          charts,
          clipped: [],
        });
      }
    const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(ground).toBe(colorScheme === "dark" ? "rgb(15, 19, 23)" : "rgb(246, 247, 249)");
    await page.emulateMedia({ media: "print" });
    for (const width of [718, 624]) {
      await page.setViewportSize({ width, height: 1000 }); // A4 and letter between usual margins
      expect(await page.evaluate(look)).toMatchObject({ scroll: 0, out: [], charts, clipped: [] });
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("a run's page follows the run by itself until it has finished", async () => {
    const file = join(folder, "live.html"),
      page = await browser.newPage();
    writeFileSync(file, renderTraining(sampleTraining({ done: 3 })).replace(/("refresh" content=)"\d+"/, '$1"1"'));
    await page.goto(pathToFileURL(file).href);
    expect(await page.textContent(".verdict")).toMatch(/running\s+3 epochs of 30/);
    writeFileSync(file, renderTraining(sampleTraining()));
    await page.waitForSelector(".state:not(.running)", { timeout: 20_000 });
    await page.close();
  });
});
