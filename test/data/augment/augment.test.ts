import { describe, expect, it } from "vitest";
import { createRng, resolveOptions } from "temper/core";
import {
  type AnyAugmentation,
  type AugmentationName,
  augmentations,
  type ImageView,
  parseAugmentations,
  parseMixer,
} from "temper/data";
import { errorText } from "../../errors.ts";

const ramp = ([c, h, w]: ImageView["shape"]): Float32Array =>
  Float32Array.from({ length: c * h * w }, (_, i) => (i + 1) / (c * h * w));
const apply = (
  name: AugmentationName,
  given: Record<string, unknown>,
  image: Partial<ImageView> & Pick<ImageView, "shape">,
  seed = 0,
): Float32Array => {
  const record: AnyAugmentation = augmentations[name],
    { pixels = ramp(image.shape), shape, range = [0, 1] } = image;
  record.apply({ pixels, shape, range }, createRng(seed), resolveOptions(name, record.options, given) as never);
  return pixels;
};

/** Every seed's result, how often it came. */
const spread = (n: number, draw: (seed: number) => string | number): Map<string | number, number> => {
  const counts = new Map<string | number, number>();
  for (let seed = 0; seed < n; seed++) {
    const key = draw(seed);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
};
/** Pearson's statistic of equal shares, in standard deviations above its mean; 5 would be a chance of about 1e-5. */
const unevenness = (counts: ReadonlyMap<unknown, number>, cells: number): number => {
  const n = [...counts.values()].reduce((sum, count) => sum + count, 0),
    expected = n / cells;
  const chi2 =
    [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) +
    (cells - counts.size) * expected;
  return (chi2 - (cells - 1)) / Math.sqrt(2 * (cells - 1));
};

describe("every augmentation", () => {
  const names = Object.keys(augmentations) as AugmentationName[];

  it.each(names)("%s: stays in the range, keeps the shape, follows the stream", (name) => {
    for (const range of [
      [0, 1],
      [-1, 2],
    ] as const)
      for (const shape of [
        [3, 8, 6],
        [1, 5, 5],
      ] as const) {
        const image = (): Float32Array => ramp(shape).map((v) => range[0] + v * (range[1] - range[0]));
        for (let seed = 0; seed < 60; seed++) {
          const once = apply(name, {}, { shape, range, pixels: image() }, seed);
          expect(once.every((v) => v >= range[0] - 1e-6 && v <= range[1] + 1e-6)).toBe(true);
          expect(apply(name, {}, { shape, range, pixels: image() }, seed)).toEqual(once);
        }
      }
    const seen = spread(40, (seed) => apply(name, {}, { shape: [3, 32, 32] }, seed).join());
    expect(seen.size).toBeGreaterThan(1);
  });

  it.each(names)("%s: the record is whole", (name) => {
    const { name: own, summary, source } = augmentations[name];
    expect(own).toBe(name);
    expect(summary.length * source.length).toBeGreaterThan(0);
  });
});

describe("flip", () => {
  it("turns every row around, in all channels", () => {
    expect([...apply("flip", { probability: 1 }, { shape: [2, 1, 3] })].map((v) => Math.round(6 * v))).toEqual([
      3, 2, 1, 6, 5, 4,
    ]);
  });

  it("half of the images", () => {
    const counts = spread(4000, (seed) => (apply("flip", {}, { shape: [1, 1, 2] }, seed)[0]! > 0.75 ? 1 : 0));
    expect(unevenness(counts, 2)).toBeLessThan(5);
  });
});

describe("crop", () => {
  const shape = [1, 3, 3] as const;
  /** The window of a padded image, the slow way. */
  const windowAt = (dy: number, dx: number): number[] =>
    Array.from({ length: 9 }, (_, i) => {
      const y = Math.floor(i / 3) - dy,
        x = (i % 3) - dx;
      return y >= 0 && y < 3 && x >= 0 && x < 3 ? 3 * y + x + 1 : 0;
    });
  const drawn = (seed: number, pad: number): string =>
    [...apply("crop", { pad }, { shape }, seed)].map((v) => Math.round(9 * v)).join();

  it("gives every window equally often, and nothing else", () => {
    const counts = spread(5000, (seed) => drawn(seed, 2));
    const windows = [-2, -1, 0, 1, 2].flatMap((dy) => [-2, -1, 0, 1, 2].map((dx) => windowAt(dy, dx).join()));
    expect(new Set(windows).size).toBe(25);
    expect([...counts.keys()].filter((key) => !windows.includes(String(key)))).toEqual([]);
    expect(unevenness(counts, 25)).toBeLessThan(5);
  });

  it("shifts channels alike, fills with the lowest value, and knows borders wider than the image", () => {
    const shape2 = [2, 3, 3] as const;
    for (let seed = 0; seed < 30; seed++) {
      const out = apply("crop", { pad: 1 }, { shape: shape2, range: [-1, 1], pixels: ramp(shape2).fill(0.5) }, seed);
      expect([...out.subarray(0, 9)]).toEqual([...out.subarray(9)]);
      expect(out.every((v) => v === 0.5 || v === -1)).toBe(true);
    }
    expect(spread(300, (seed) => drawn(seed, 50)).get("0,0,0,0,0,0,0,0,0")).toBeGreaterThan(200);
    expect(drawn(0, 0)).toBe("1,2,3,4,5,6,7,8,9");
  });
});

describe("cutout", () => {
  it("covers the mean area of a square that the border cuts off", () => {
    // A square of side s around a pixel of n: rows from y - s/2 to y + s/2 - 1, of which the mean over y lies in the image.
    const n = 8,
      size = 4,
      rows = Array.from({ length: n }, (_, y) => Math.min(n, y + size / 2) - Math.max(0, y - size / 2)),
      mean = rows.reduce((sum, r) => sum + r, 0) / n;
    let covered = 0;
    for (let seed = 0; seed < 3000; seed++) {
      const out = apply("cutout", { size, fill: 0 }, { shape: [1, n, n] }, seed);
      covered += out.filter((v) => v === 0).length;
    }
    const area = covered / 3000,
      square = rows.reduce((sum, r) => sum + r * r, 0) / n,
      deviation = Math.sqrt((square ** 2 - mean ** 4) / 3000);
    expect(Math.abs(area - mean ** 2)).toBeLessThan(5 * deviation);
  });

  it("fills with a share of the range, in all channels", () => {
    const out = apply("cutout", { size: 99, fill: 0.25 }, { shape: [3, 4, 4], range: [-1, 3] });
    expect(out.every((v) => v === 0)).toBe(true);
    expect(apply("cutout", { size: 0 }, { shape: [1, 2, 2] })).toEqual(ramp([1, 2, 2]));
  });
});

describe("policies", () => {
  it("randaugment of no operations does nothing; magnitude 0 moves nothing", () => {
    expect(apply("randaugment", { operations: 0 }, { shape: [3, 4, 4] })).toEqual(ramp([3, 4, 4]));
    // At magnitude 0 only solarize (of white), equalize and autocontrast can change an image; a full-range ramp of few
    // pixels is changed by the first alone, and by autocontrast, which makes its lowest value black.
    const changed = spread(200, (seed) => {
      const out = apply("randaugment", { magnitude: 0, operations: 1 }, { shape: [1, 4, 4] }, seed);
      return out.slice(1, -1).every((v, i) => Math.abs(v - (i + 2) / 16) < 0.07) ? 1 : 0;
    });
    expect(changed.get(0)).toBeUndefined();
  });

  it("trivialaugment draws all of its operations and magnitudes", () => {
    const images = spread(3000, (seed) => apply("trivialaugment", {}, { shape: [3, 6, 6] }, seed).join());
    expect(images.size).toBeGreaterThan(200);
    expect(images.get(ramp([3, 6, 6]).join())! / 3000).toBeGreaterThan(1 / 14 - 0.02); // identity and its like
  });

  it("invert takes part only where it is asked for", () => {
    const inverted = ramp([1, 3, 3])
      .map((v) => Math.fround(1 - v))
      .join();
    const share = (invert: boolean): number =>
      (spread(2000, (seed) => apply("trivialaugment", { invert }, { shape: [1, 3, 3] }, seed).join()).get(inverted) ??
        0) / 2000;
    expect(share(true) - share(false)).toBeGreaterThan(0.03); // of 1 in 15; solarize of all values looks the same
  });
});

describe("lists", () => {
  it("reads names with values, in the order of the record's options", () => {
    expect(parseAugmentations("crop, flip,cutout=8")).toEqual([
      { name: "crop", options: { pad: 4 } },
      { name: "flip", options: { probability: 0.5 } },
      { name: "cutout", options: { size: 8, fill: 0.5 } },
    ]);
    expect(parseAugmentations("randaugment=3:14")).toEqual([
      { name: "randaugment", options: { operations: 3, magnitude: 14, invert: false } },
    ]);
    expect(parseAugmentations("")).toEqual([]);
    expect(parseMixer("mixup=2/10")).toEqual({ name: "mixup", options: { alpha: 0.2 } });
    expect(parseMixer("")).toBeUndefined();
  });

  it("refuses what it does not know", () => {
    expect(errorText(() => parseAugmentations("crop,flipp"))).toMatch(/^not-found: .*"flipp".* Did you mean flip\?/);
    expect(errorText(() => parseAugmentations("cutout=x"))).toMatch(/^bad-option: cutout: size must be an integer/);
    expect(errorText(() => parseAugmentations("crop=1:2"))).toMatch(
      /^bad-option: crop takes at most 1 values \(pad\), got 1:2/,
    );
    expect(errorText(() => parseAugmentations("crop,,flip"))).toMatch(/^not-found/);
    expect(errorText(() => parseMixer("mixup,cutmix"))).toMatch(/^bad-option: Only one mixer/);
    expect(errorText(() => parseMixer("mixup=0"))).toMatch(/^bad-option: mixup: alpha/);
  });
});
