import { decode } from "fast-png";
import { renderReport } from "temper/report";
import type { EvaluationResult } from "temper/evaluate";
import { describe, expect, it } from "vitest";
import { type SampleForm, sampleDoubts, sampleResult } from "./sample.ts";

const names = (n: number): readonly string[] => Array.from({ length: n }, (_, i) => `class ${i}`);
const made = new Map<string, string>();
/** The page of a sample, made once, with ordinary blanks. */
const page = (form: SampleForm = {}): string => {
  const key = JSON.stringify(form);
  if (!made.has(key)) made.set(key, renderReport(sampleResult(form)).replaceAll("\u00a0", " "));
  return made.get(key)!;
};
const matches = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map((m) => m[1] ?? m[0]);
const section = (text: string, id: string): string => {
  const from = text.indexOf(`<section id="${id}"`);
  return from < 0 ? "" : text.slice(from, text.indexOf("</section>", from));
};
const words = (text: string): string => text.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
const bytesOf = (url: string): Uint8Array =>
  Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (c) => c.charCodeAt(0));
const imagesOf = (text: string): ReturnType<typeof decode>[] =>
  matches(text, /src="(data:image\/png;base64,[^"]+)"/g).map((url) => decode(bytesOf(url)));

describe("renderReport", () => {
  it("says the verdict in one sentence", () => {
    expect(words(page())).toContain(
      "Of 1,000 test images the model classifies 98.2 % correctly; an attacker who may change every pixel by up to 0.1 leaves 94.9 %.",
    );
    expect(words(page({ norm: "l2", epsilon: 0.5, sweep: [0.5] }))).toContain(
      "may move an image by a Euclidean distance of up to 0.5",
    );
    expect(words(page({ shape: [12], norm: "l1", epsilon: 2, sweep: [2] }))).toContain("Of 1,000 test examples");
    expect(words(page({ shape: [12] }))).toContain("may change every value by up to 0.1");
  });

  it("has every section, each with its heading and its link", () => {
    const text = page();
    for (const id of ["curve", "attacks", "classes", "confusion", "examples", "method"]) {
      expect(section(text, id)).toMatch(/<h2 id="/);
      expect(text).toContain(`href="#${id}"`);
    }
    expect(matches(text, /<h1[ >]/g)).toHaveLength(1);
    for (const id of matches(text, /aria-labelledby="([^"]+)"/g)) expect(text).toContain(`id="${id}"`);
    expect(matches(text, /<table/g)).toHaveLength(matches(text, /<caption/g).length);
  });

  it("puts the doubts before the figures, with what to do", () => {
    const text = page({ doubts: sampleDoubts });
    expect(text.indexOf("zero-gradients")).toBeLessThan(text.indexOf('class="tiles"'));
    for (const { code, message } of sampleDoubts) {
      expect(words(text)).toContain(code);
      expect(words(text)).toContain(message);
    }
    expect(words(page())).toContain("No doubts about this measurement");
  });

  it("gives how it was measured", () => {
    const result = sampleResult({ shape: [3, 32, 32] }),
      text = words(section(page({ shape: [3, 32, 32] }), "method"));
    const { model, data, machine } = result;
    const wanted = [model.path, model.hash, data.name, data.split, data.layout, data.hash, data.source, machine.cpu];
    for (const value of [...wanted, machine.node, machine.onnxruntime, machine.temper, ...model.notes, ...data.notes])
      expect(text).toContain(value);
    expect(text).toContain("0.03137 (8/255)");
    expect(text).toContain("11,173,962");
    expect(text).toContain("2026-03-04 12:34 UTC");
    expect(text).toMatch(/seed 7 /);
    expect(text.replaceAll(" ", "")).toContain(result.command.replaceAll(" ", ""));
  });

  it("needs nothing from outside and runs no script", () => {
    const text = page({ doubts: sampleDoubts });
    expect(text).toContain("default-src 'none'");
    expect(text).not.toMatch(/<script|<link|<iframe|<object|@import|\son[a-z]+=/i);
    for (const url of matches(text, /(?:src|href|action|poster|data|srcset)="([^"]*)"/g))
      expect(url).toMatch(/^(data:image\/png;base64,|#)/);
    for (const url of matches(text, /url\(([^)]*)\)/g)) expect(url).toMatch(/^#/);
    expect(text).not.toMatch(/https?:/i);
  });
});

describe("the curve", () => {
  it("has one point an epsilon and the clean one, in both drawings, and a band around them", () => {
    const text = section(page(), "curve");
    const charts = matches(text, /<svg\s+class="chart"[\s\S]*?<\/svg>/g);
    expect(charts).toHaveLength(2);
    for (const chart of charts) {
      expect(matches(chart, /class="point ([a-z]+)"/g)).toEqual([
        "clean",
        "other",
        "other",
        "main",
        "other",
        "other",
        "other",
      ]);
      expect(matches(chart, /<polyline class="curve" points="([^"]+)"/g)[0]!.split(" ")).toHaveLength(7);
      expect(matches(chart, /<polygon class="band" points="([^"]+)"/g)[0]!.split(" ")).toHaveLength(14);
    }
    expect(matches(text, /<tr role="row">/g)).toHaveLength(8);
  });

  it("puts points where they belong", () => {
    const text = page({ epsilon: 0.1, sweep: [0.1, 0.2] });
    const [clean, main, last] = matches(text, /<polyline class="curve" points="([^"]+)"/g)[0]!
      .split(" ")
      .map((point) => point.split(",").map(Number));
    const grid = matches(text, /<line\s+class="grid"[^>]*y1="([\d.]+)"/g)
      .slice(0, 5)
      .map(Number); // 0, 25, … 100 %
    const share = (y: number): number => (grid[0]! - y) / (grid[0]! - grid[4]!);
    const band = matches(text, /<polygon class="band" points="([^"]+)"/g)[0]!.split(" ");
    const { sweep } = sampleResult({ epsilon: 0.1, sweep: [0.1, 0.2] }); // upper edge from left to right, then back below
    expect(share(Number(band[1]!.split(",")[1]))).toBeCloseTo(sweep[0]!.robustAccuracy.high, 3);
    expect(share(Number(band[4]!.split(",")[1]))).toBeCloseTo(sweep[0]!.robustAccuracy.low, 3);
    expect(share(clean![1]!)).toBeCloseTo(0.982, 3);
    expect(share(main![1]!)).toBeCloseTo(0.949, 3);
    expect(main![0]! - clean![0]!).toBeCloseTo(last![0]! - main![0]!, 1);
  });

  it("names epsilons as k/255 on the axis only where all are", () => {
    expect(page({ shape: [3, 32, 32] })).toMatch(/>\s*8\/255\s*<\/text>/);
    expect(page({ epsilon: 8 / 255, sweep: [8 / 255, 0.1] })).not.toMatch(/>\s*8\/255\s*<\/text>/);
  });

  it("says how many examples stand behind each point where that differs", () => {
    const result = sampleResult({ examples: 0 });
    const sweep = result.sweep.map((row) =>
      row.epsilon === 0.1 ? row : { ...row, robustAccuracy: { ...row.robustAccuracy, count: 300 } },
    );
    const text = words(section(renderReport({ ...result, sweep }), "curve"));
    expect(text).toContain("Worst case over all attacks, 300 to 1,000 images");
    expect(text.match(/of 300/g)).toHaveLength(5);
    expect(text.match(/of 1,000/g)).toHaveLength(2);
    expect(words(section(page(), "curve"))).not.toContain("of 1,000");
  });

  it("stands without a sweep", () => {
    const charts = matches(section(page({ sweep: [] }), "curve"), /<svg\s+class="chart"[\s\S]*?<\/svg>/g);
    for (const chart of charts) expect(matches(chart, /class="point ([a-z]+)"/g)).toEqual(["clean"]);
  });
});

describe("attacks and classes", () => {
  it("has one row an attack with its figures", () => {
    const text = section(page(), "attacks");
    const main = words(text.slice(0, text.indexOf("<details")));
    for (const part of [
      "apgd-ce",
      "apgd-t",
      "square",
      "868.3",
      "4,870.9",
      "5 min 22 s",
      "steps 100, restarts 1, loss ce",
    ])
      expect(main).toContain(part);
    expect(matches(text, /<table/g)).toHaveLength(6); // the main epsilon, and five others folded
  });

  it("says which examples fell before the first attack", () => {
    const result = sampleResult({ examples: 0 });
    const attacks = result.attacks.map((row, i) => (i === 0 ? { ...row, attempted: row.attempted - 40 } : row));
    expect(words(renderReport({ ...result, attacks }))).toContain(
      "40 examples that fell already at a smaller epsilon count as broken",
    );
    expect(words(page())).not.toContain("fell already");
  });

  it.each([
    [2, 2],
    [10, 10],
    [20, 20],
    [21, 20],
    [100, 20],
    [1000, 20],
  ])("of %i classes shows %i", (n, shown) => {
    const text = section(page({ classes: names(n), count: 10 * n, examples: 0 }), "classes");
    expect(matches(text, /<th\s+scope="row"/g)).toHaveLength(shown);
    expect(words(text)).toContain(n > 20 ? `The worst 20 of ${n.toLocaleString("en-US")} classes` : `All ${n} classes`);
  });

  it("shows the worst of many classes first", () => {
    const result = sampleResult({ classes: names(100), count: 5000, examples: 0 });
    const rows = [...result.perClass];
    rows[57] = { name: "the worst", count: 50, clean: 40, robust: 1 };
    rows[58] = { name: "unseen", count: 0, clean: 0, robust: 0 };
    const text = section(renderReport({ ...result, perClass: rows }), "classes");
    expect(matches(text, /<th\s+scope="row"[^>]*>([^<]*)</g)[0]!.trim()).toBe("the worst");
    expect(text).not.toContain("unseen");
  });

  it("says when a class has no examples", () => {
    const result = sampleResult({ examples: 0 });
    const rows = result.perClass.map((row, i) => (i === 3 ? { ...row, count: 0, clean: 0, robust: 0 } : row));
    const text = section(renderReport({ ...result, perClass: rows }), "classes");
    expect(text).toContain("no examples");
    expect(text).not.toContain("NaN");
  });

  it("has bars that add up", () => {
    const widths = matches(
      section(page({ classes: names(2) }), "classes"),
      /<rect\s+class="(?:keep|lost)"[^>]*width="([\d.]+)%"/g,
    );
    const [first] = sampleResult({ classes: names(2) }).perClass;
    expect(Number(widths[0]) + Number(widths[1])).toBeCloseTo((100 * first!.clean) / first!.count, 1);
  });
});

describe("confusion", () => {
  it("is a matrix with every count up to 20 classes", () => {
    const { confusion } = sampleResult();
    const table = section(page(), "confusion").split("</table>")[0]!;
    const cells = matches(table, /<td[^>]*>\s*([\d,]+)\s*<\/td>/g).map((text) => Number(text.replaceAll(",", "")));
    expect(cells).toEqual(confusion.attacked.flat());
  });

  it("is a list of pairs above, most frequent first", () => {
    const form = { classes: names(30), count: 3000, examples: 0 };
    const { attacked } = sampleResult(form).confusion;
    const text = section(page(form), "confusion");
    expect(text).not.toContain('class="matrix');
    const shown = matches(text, /data-label="under attack"[^>]*>(\d+)</g).map(Number);
    const wrong = attacked.flatMap((row, i) => row.filter((n, j) => j !== i && n > 0)).sort((a, b) => b - a);
    expect(shown).toEqual(wrong.slice(0, 20));
  });
});

describe("examples", () => {
  const level = (v: number, low: number, high: number): number =>
    Math.round(Math.min(255, Math.max(0, (255 * (v - low)) / (high - low))));
  const interleaved = (pixels: readonly number[], channels: number, low: number, high: number): number[] => {
    const plane = pixels.length / channels;
    return pixels.map((_, k) => level(pixels[(k % channels) * plane + Math.floor(k / channels)]!, low, high));
  };

  it.each([
    [1, 28],
    [3, 32],
  ])("%i-channel pictures decode to the pixels", (channels, side) => {
    const form = { shape: [channels, side, side], examples: 3 };
    const { examples, threat } = sampleResult(form),
      images = imagesOf(page(form));
    expect(images).toHaveLength(9);
    examples.forEach((row, i) => {
      const [clean, change, adversarial] = images.slice(3 * i, 3 * i + 3);
      expect([clean!.width, clean!.height, clean!.channels]).toEqual([side, side, channels]);
      expect([...clean!.data]).toEqual(interleaved(row.pixels, channels, 0, 1));
      expect([...adversarial!.data]).toEqual(interleaved(row.adversarialPixels, channels, 0, 1));
      const moved = row.pixels.map((v, k) => row.adversarialPixels[k]! - v);
      expect([...change!.data]).toEqual(interleaved(moved, channels, -threat.epsilon, threat.epsilon));
    });
  });

  it("states the scale of the change", () => {
    expect(words(page())).toContain("change ×5 grey = no change, black and white = ±0.1");
    expect(words(page({ shape: [3, 32, 32] }))).toContain(
      "change ×16 grey = no change, black and white = ±0.03137 (8/255)",
    );
  });

  it("scales other norms by the largest change of the example", () => {
    const form = { norm: "l2" as const, epsilon: 2, sweep: [2], examples: 1 };
    const { pixels, adversarialPixels } = sampleResult(form).examples[0]!;
    const largest = Math.max(...pixels.map((v, i) => Math.abs(adversarialPixels[i]! - v)));
    const change = imagesOf(page(form))[1]!;
    expect(words(page(form))).toContain(`±${Number(largest.toPrecision(4))}`);
    expect([...change.data].some((v) => v === 0 || v === 255)).toBe(true);
  });

  it("shows changes beyond the main epsilon to their own scale", () => {
    const result = sampleResult({ examples: 1 }),
      row = result.examples[0]!;
    const far = {
      ...row,
      pixels: row.pixels.map(() => 0.5),
      adversarialPixels: row.pixels.map((_, i) => (i === 0 ? 0.75 : 0.4)),
    };
    const text = renderReport({ ...result, examples: [far] });
    expect(words(text)).toContain("change ×2 grey = no change, black and white = ±0.25");
    expect(Array.from(imagesOf(text)[1]!.data).slice(0, 2)).toEqual([255, level(-0.1, -0.25, 0.25)]);
  });

  it("shows an unchanged example as plain grey", () => {
    const result = sampleResult({ norm: "l2", epsilon: 0.5, sweep: [0.5], examples: 1 });
    const row = result.examples[0]!;
    const text = renderReport({ ...result, examples: [{ ...row, adversarialPixels: row.pixels }] });
    expect(new Set(imagesOf(text)[1]!.data)).toEqual(new Set([128]));
    expect(words(text)).toContain("nothing was changed");
  });

  it("shows the first channel of other counts and says so", () => {
    const form = { shape: [4, 8, 8], examples: 1 };
    const [clean] = imagesOf(page(form)),
      { pixels } = sampleResult(form).examples[0]!;
    expect([...clean!.data]).toEqual(pixels.slice(0, 64).map((v) => level(v, 0, 1)));
    expect(words(page(form))).toContain("The inputs have 4 channels; only the first is shown.");
  });

  it("draws vectors as bars, long ones as strips", () => {
    const short = section(page({ shape: [24], examples: 2 }), "examples");
    expect(matches(short, /class="chart values"/g)).toHaveLength(6);
    expect(matches(short.split("</svg>")[0]!, /<rect/g)).toHaveLength(24);
    const long = page({ shape: [5000], examples: 1 });
    expect(imagesOf(long).map((image) => [image.width, image.height])).toEqual([
      [1024, 1],
      [1024, 1],
      [1024, 1],
    ]);
    expect(words(long)).toContain("the first 1,024 of 5,000 values");
  });

  it("survives values that are no numbers and pixels that do not fit the shape", () => {
    const result = sampleResult({ examples: 1 }),
      row = result.examples[0]!;
    const odd = {
      ...row,
      pixels: [NaN, 1, Infinity],
      adversarialPixels: [0.5],
      distance: NaN,
      clean: { label: 99, confidence: NaN },
    };
    const text = words(renderReport({ ...result, examples: [odd] }));
    expect(text).toContain("no confidence");
    expect(text).not.toMatch(/NaN|undefined/);
  });

  it("says when there are none", () => {
    expect(words(section(page({ examples: 0 }), "examples"))).toContain("No examples were kept.");
  });
});

describe("hostile text", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='x'>&amp;\u202e\u0000`;
  const poison = (value: unknown): unknown =>
    typeof value === "string" ? evil : Array.isArray(value) ? value.map(poison) : poisonObject(value);
  const poisonObject = (value: unknown): unknown =>
    typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value).map(([key, v]) => [key, ["norm", "schema"].includes(key) ? v : poison(v)]),
        )
      : value;

  it.each([10, 30])("in every string of the result stays text (%i classes)", (n) => {
    const clean = sampleResult({ classes: names(n), doubts: sampleDoubts, examples: 2 });
    const options = { [evil]: evil };
    const bad = poison({ ...clean, attacks: clean.attacks.map((row) => ({ ...row, options })) }) as EvaluationResult;
    const text = renderReport({ ...bad, attacks: bad.attacks.map((row) => ({ ...row, options })) });
    expect(text).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(text).not.toMatch(/<script|<img src=x/);
    for (const character of ["\u0000", "\u202e"]) expect(text).not.toContain(character);
    // The same page with harmless strings has the same tags, one by one: nothing was opened, closed or added.
    const tags = (page_: string): readonly string[] => matches(page_, /<(\/?[a-z][a-z0-9]*)(?=[\s>/])/g);
    const harmless = renderReport(
      JSON.parse(
        JSON.stringify({ ...bad, attacks: bad.attacks.map((row) => ({ ...row, options: { a: "b" } })) }).replaceAll(
          JSON.stringify(evil).slice(1, -1),
          "harmless",
        ),
      ) as EvaluationResult,
    );
    expect(tags(text)).toEqual(tags(harmless));
  });
});

describe("numbers", () => {
  it("never rounds up to all or down to none", () => {
    const result = sampleResult();
    const most = { value: 0.9999, low: 0.9994, high: 1, count: 10000 },
      least = { value: 0.0001, low: 0, high: 0.0006, count: 10000 };
    const text = words(
      renderReport({ ...result, cleanAccuracy: most, robustAccuracy: least }).replaceAll("\u00a0", " "),
    );
    expect(text).toContain("classifies &gt; 99.9 % correctly");
    expect(text).toContain("leaves &lt; 0.1 %");
    expect(text).toContain("95 % interval 99.9 to 100.0 %");
    expect(text).toContain("95 % interval 0.0 to 0.1 %");
  });

  it("says it plainly when nothing was evaluated", () => {
    const none = { value: 0, low: 0, high: 1, count: 0 };
    const text = renderReport({ ...sampleResult({ examples: 0 }), cleanAccuracy: none, robustAccuracy: none });
    expect(text).toContain("nothing is known about this model");
    expect(text).not.toContain("NaN");
  });
});
