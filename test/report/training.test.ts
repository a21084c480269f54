import { renderTraining, type TrainingReport } from "temper/report";
import { describe, expect, it } from "vitest";
import { sampleTraining } from "./training-sample.ts";

const page = (report: TrainingReport): string => renderTraining(report).replaceAll("\u00a0", " ");
const words = (text: string): string => text.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
const titles = (text: string): string[] =>
  [...text.matchAll(/<figure class="panel">\s*<h3>([^<]*)/g)].map((m) => m[1]!);
const empty: TrainingReport = { title: "t", config: {}, environment: {}, history: [], notes: [], finished: false };

/** Points of the first drawn line in the chart of that title, as numbers. */
const line = (text: string, title: string, at = 0): number[][] => {
  const chart = text.slice(text.indexOf(`<h3>${title}</h3>`)).split("</svg>")[0]!;
  const points = [...chart.matchAll(/class="line[^"]*"\s+points="([^"]*)"/g)][at]![1]!;
  return points.split(" ").map((point) => point.split(",").map(Number));
};

describe("renderTraining", () => {
  it("draws what the history holds, whatever its names, each in its chart", () => {
    const text = page(sampleTraining());
    expect(titles(text)).toEqual([
      "Loss",
      "Accuracy",
      "Gaps",
      "Learning rate",
      "Gradient evaluations",
      "Images per second",
      "Engine idle",
      "Computing time, minutes",
      "Gradient norm",
    ]);
    for (const name of [
      "total",
      "clean",
      "stability",
      "training, robust",
      "validation, robust",
      "clean less robust, validation",
    ])
      expect(words(text)).toContain(` ${name} `);
    const loss = page({ ...empty, history: [{ loss: 1 }, { loss: 3 }] });
    expect(titles(loss)).toEqual(["Loss"]);
    expect(loss).toContain("Loss by record. Last: total 3.");
  });

  it("draws values to scale, straight over what was not measured", () => {
    const history = [1, 2, 3, 4, 5].map((epoch) => ({ epoch, lr: epoch === 3 ? null : epoch / 10, gradientNorm: 7 }));
    const text = page({ ...empty, history }),
      points = line(text, "Learning rate");
    expect(points).toHaveLength(4);
    const [[x1, y1], [x2, y2], [x4, y4], [x5, y5]] = points as [number[], number[], number[], number[]];
    expect(x2! - x1!).toBeCloseTo(x5! - x4!, 1);
    expect(x4! - x2!).toBeCloseTo(2 * (x2! - x1!), 1);
    expect(y1! - y2!).toBeCloseTo(y4! - y5!, 1);
    expect(y2! - y4!).toBeCloseTo(2 * (y1! - y2!), 1);
    expect(y1!).toBeGreaterThan(y5!); // upwards
    const flat = line(text, "Gradient norm").map(([, y]) => y);
    expect(new Set(flat).size).toBe(1);
  });

  it("computes gaps as differences in points", () => {
    const history = [{ epoch: 1, validationAccuracy: 0.8, validationRobustAccuracy: 0.35 }];
    expect(words(page({ ...empty, history }))).toContain("last 45.0 points");
  });

  it("says how far the run is, what was best and what happened", () => {
    const done = words(page(sampleTraining()));
    expect(done).toContain("finished 30 epochs in 14 min 42 s.");
    expect(done).toMatch(/Best robust accuracy 4\d\.\d % validation, epoch 1\d; last/);
    expect(done).toContain("epoch 12: Robust accuracy fell by 9 points");
    expect(done).toContain("No weight decay on 42");
    const live = words(page(sampleTraining({ done: 10, notes: [] })));
    expect(live).toContain("running 10 epochs of 30 in 4 min 54 s, about 9 min 48 s left.");
    expect(live).not.toContain("Notes");
    expect(words(page(empty))).toContain("No epoch has ended yet.");
  });

  it("reads itself again while the run goes on, and only then", () => {
    expect(page(sampleTraining({ done: 3 }))).toMatch(/<meta http-equiv="refresh" content="\d+" \/>/);
    expect(page(sampleTraining())).not.toContain("refresh");
  });

  it("shows configuration and environment", () => {
    const text = words(page(sampleTraining()));
    for (const value of [
      "recipe pgd-at",
      "batchSize 128",
      "epsilon 0.03137254901960784 (8/255)",
      "validationHash none",
    ])
      expect(text).toContain(value);
    expect(text).toContain("cpu AMD EPYC 7B13");
    expect(text).toContain("[0.4914,0.4822,0.4465]");
  });

  it("has no scripts and nothing from outside, and escapes what it shows", () => {
    const evil = `<script>alert("1")</script>`;
    const text = page({
      ...sampleTraining(),
      title: evil,
      config: { [evil]: evil },
      notes: [{ message: evil }],
      history: [{ [evil]: 1 }, { [evil]: 2 }],
    });
    expect(text).not.toMatch(/<script|<link|<iframe|@import|\son[a-z]+=/i);
    expect(text).toContain("default-src 'none'");
    expect(text.split("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;").length).toBeGreaterThan(4);
  });

  it("stands numbers of any size, and none", () => {
    const odd = [1e-30, -1e30, 0, NaN, Infinity].map((x, i) => ({ epoch: i + 1, x, lr: 0, loss: null }));
    const text = page({ ...empty, history: odd });
    expect(text.split('id="figures"')[0]).not.toMatch(/NaN|Infinity|undefined/); // the table says what came
    expect(titles(text)).toEqual(["Learning rate", "X"]);
    for (const history of [[{ epoch: 1, loss: 2 }], [{ loss: 0 }], [{ epoch: 1 }]])
      expect(page({ ...empty, history })).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("lists the latest of many records", () => {
    const history = Array.from({ length: 1000 }, (_, i) => ({ step: i + 1, loss: 1 / (i + 1) }));
    const text = page({ ...empty, history });
    expect(text).toContain("The last 300 of 1,000 records");
    expect(text.match(/<tr role="row">/g)).toHaveLength(301);
  });
});
