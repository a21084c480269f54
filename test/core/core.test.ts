import {
  bool,
  choice,
  createHasher,
  createRng,
  flagName,
  float,
  f32,
  formatBytes,
  formatShape,
  fromFloat64,
  int,
  i64,
  lookup,
  many,
  nearest,
  numbers,
  parseNumber,
  philox,
  release,
  resolveOptions,
  sameShape,
  size,
  tensor,
  TemperError,
  text,
  toFloat64,
} from "temper/core";
import { describe, expect, it } from "vitest";

describe("options", () => {
  const spec = {
    steps: int({ default: 40, min: 1, help: "" }),
    epsilon: float({ default: 0.1, min: 0, max: 1, help: "" }),
    norm: choice(["linf", "l2"], { default: "linf", help: "" }),
    fast: bool({ default: false, help: "" }),
    name: text({ default: undefined, help: "" }),
    mean: numbers({ default: [], help: "" }),
    attack: many({ help: "" }),
  };

  it("fills in defaults; undefined means default", () => {
    expect(resolveOptions("pgd", spec, { steps: undefined })).toEqual({
      steps: 40,
      epsilon: 0.1,
      norm: "linf",
      fast: false,
      name: undefined,
      mean: [],
      attack: [],
    });
  });

  it("reads typed values and text alike, fractions too", () => {
    const given = { steps: "7", epsilon: "8/255", norm: "l2", fast: "true", name: "a", mean: "0.5,1/4", attack: "pgd" };
    expect(resolveOptions("pgd", spec, given)).toEqual({
      steps: 7,
      epsilon: 8 / 255,
      norm: "l2",
      fast: true,
      name: "a",
      mean: [0.5, 0.25],
      attack: ["pgd"],
    });
  });

  it.each([
    [{ steps: 0 }, "pgd: steps must be an integer from 1 to Infinity, got 0."],
    [{ steps: 1.5 }, "pgd: steps must be an integer"],
    [{ epsilon: NaN }, "pgd: epsilon must be a number from 0 to 1, got NaN."],
    [{ epsilon: "1/0" }, "epsilon must be a number"],
    [{ norm: "l3" }, "norm must be one of linf, l2, got l3."],
    [{ fast: "yes" }, "fast must be true or false"],
    [{ mean: "1,x" }, "mean must be numbers separated by commas"],
    [{ stpes: 3 }, "pgd has no option stpes. Did you mean steps?"],
  ])("refuses %o by name", (given, message) => {
    expect(() => resolveOptions("pgd", spec, given)).toThrow(TemperError);
    expect(() => resolveOptions("pgd", spec, given)).toThrow(message);
  });

  it.each([
    ["2GiB", 2 ** 31],
    ["500MB", 5e8],
    ["1.5 kb", 1500],
    ["4096", 4096],
    [7, 7],
  ])("reads the size %s", (given, bytes) => {
    expect(size({ default: 0, help: "" }).parse(given)).toBe(bytes);
  });

  it.each(["2 GX", "GiB", "-1MB", "", "1e3", "2GiBs", "9999999TB", undefined])("refuses the size %s", (given) => {
    expect(size({ default: 0, help: "" }).parse(given)).toBeUndefined();
    expect(() => resolveOptions("train", { memory: size({ default: 0, help: "" }) }, { memory: given ?? NaN })).toThrow(
      "train: memory must be a size such as 500MB or 2GiB, got",
    );
  });

  it("writes sizes with three digits", () =>
    expect([0, 999, 1234, 53_600_000, 2 ** 31].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.23 kB",
      "53.6 MB",
      "2.15 GB",
    ]));

  it("turns names into flags", () => expect(flagName("relativeStepSize")).toBe("relative-step-size"));
  it.each([
    ["8/255", 8 / 255],
    ["-1", -1],
    ["1/2/3", NaN],
    ["", NaN],
    ["/2", NaN],
    [true, NaN],
  ])("parseNumber(%o) = %d", (given, value) => expect(parseNumber(given)).toBe(value));
});

describe("names", () => {
  it("finds the nearest, or none", () => {
    expect(nearest("evalaute", ["evaluate", "train"])).toBe("evaluate");
    expect(nearest("xyz", ["evaluate", "train"])).toBeUndefined();
    expect(() => lookup({ pgd: 1, fgsm: 2 }, "pdg", "attack")).toThrow(
      'No attack is called "pdg". Did you mean pgd? Known: pgd, fgsm.',
    );
    expect(() => lookup({ pgd: 1 }, "toString", "attack")).toThrow(/No attack/);
  });
});

describe("tensors", () => {
  it("must be filled", () =>
    expect(() => tensor("float32", [2, 3], new Float32Array(5))).toThrow("[2, 3] needs 6 elements, got 5"));
  it("convert to float64 and back", () => {
    expect(Array.from(toFloat64(i64([1, -2])))).toEqual([1, -2]);
    expect(fromFloat64(Float64Array.of(1.7, -1.7), "int64", [2])).toEqual(i64([1, -1]));
    expect((fromFloat64(Float64Array.of(2 ** 63, -(2 ** 70)), "int64", [2]).data as BigInt64Array)[0]).toBe(
      2n ** 63n - 1n,
    );
    expect(Array.from(fromFloat64(Float64Array.of(0, 3), "bool", [2]).data as Uint8Array)).toEqual([0, 1]);
  });
  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0001, 2 ** -24],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ])("half %i is %d", (bits, value) =>
    expect(toFloat64({ dtype: "float16", shape: [1], data: Uint16Array.of(bits) })[0]).toBe(value),
  );
  it("print shapes with the batch size", () => expect(formatShape([-1, 3, -64])).toBe("[N, 3, 64N]"));
  it("compare shapes", () =>
    expect([sameShape([1, 2], [1, 2]), sameShape([1], [1, 1]), sameShape([], [])]).toEqual([true, false, true]));
  it("share their data", () => {
    const data = Float32Array.of(1, 2);
    expect(f32(data).data).toBe(data);
  });
});

describe("random streams", () => {
  // Known answers of philox4x32-10 from the Random123 distribution (kat_vectors).
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("philox4x32-10 of %o", ([a, b, c, d], [k0, k1], expected) => {
    const out = new Uint32Array(4);
    philox(out, a!, b!, c!, d!, k0!, k1!);
    expect(Array.from(out)).toEqual(expected);
  });

  it("repeat with the seed and differ between names", () => {
    const draw = (seed: number, name: string | number): number[] =>
      Array.from({ length: 4 }, createRng(seed).split(name).uniform);
    expect(draw(1, "a")).toEqual(draw(1, "a"));
    const seen = [draw(1, "a"), draw(1, "b"), draw(2, "a"), draw(1, 1), draw(1, 2), draw(1, "1")].map(String);
    expect(new Set(seen).size).toBe(6);
  });

  it("do not move when a sibling draws", () => {
    const root = createRng(3),
      before = root.split("x").uniform();
    root.uniform();
    root.split("y").normal();
    expect(root.split("x").uniform()).toBe(before);
  });

  it("have the right moments", () => {
    const n = 200_000,
      uniform = new Float32Array(n),
      normal = new Float32Array(n);
    createRng(5).fillUniform(uniform, -1, 1);
    createRng(6).fillNormal(normal, 2, 3);
    const moments = (x: Float32Array): [number, number] => {
      const mean = x.reduce((s, v) => s + v, 0) / n;
      return [mean, x.reduce((s, v) => s + (v - mean) ** 2, 0) / n];
    };
    const [mu, vu] = moments(uniform),
      [mn, vn] = moments(normal);
    expect(Math.abs(mu)).toBeLessThan(0.01);
    expect(Math.abs(vu - 1 / 3)).toBeLessThan(0.01);
    expect(Math.abs(mn - 2)).toBeLessThan(0.03);
    expect(Math.abs(vn - 9)).toBeLessThan(0.15);
  });

  it("permute", () => {
    const order = createRng(1).permutation(1000);
    expect(Array.from(order).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(Array.from(order.subarray(0, 10))).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("hash", () => {
  const hash = (...parts: (string | ArrayBufferView)[]): string =>
    parts.reduce((h, part) => (typeof part === "string" ? h.text(part) : h.bytes(part)), createHasher()).digest();

  it("sees every byte, every length and the parts' borders", () => {
    const zeros = [0, 1, 3, 4, 5, 15, 16, 17, 64].map((n) => hash(new Uint8Array(n)));
    const flips = Array.from({ length: 70 }, (_, i) =>
      hash(Uint8Array.from({ length: 70 }, (_, j) => (i === j ? 1 : 0))),
    );
    const texts = [hash("ab", "c"), hash("a", "bc"), hash("abc"), hash("acb")];
    const all = [...zeros, ...flips, ...texts];
    expect(new Set(all).size).toBe(all.length);
  });

  it("does not depend on where the bytes lie", () => {
    const bytes = Uint8Array.from({ length: 99 }, (_, i) => i),
      shifted = new Uint8Array(102);
    shifted.set(bytes, 3);
    expect(hash(shifted.subarray(3, 102))).toBe(hash(bytes));
  });
});

describe("release", () => {
  it("frees whole arrays and leaves views alone", async () => {
    release([new Float32Array(1)]); // the first call may only open the way
    await new Promise((resolve) => setTimeout(resolve, 50));
    const whole = new Float32Array(1000),
      large = new Float32Array(1000),
      view = large.subarray(1);
    release([whole, view]);
    expect(whole.length).toBe(0);
    expect(view.length).toBe(999);
    expect(large.length).toBe(1000);
    release([large, large]);
    expect(large.length).toBe(0);
  });

  it("keeps the memory of a loop low", async () => {
    release([new Float32Array(1)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let i = 0; i < 50; i++) {
      const array = new Float32Array(1 << 20).fill(i);
      release([array]);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most).toBeLessThan(3 * 2 ** 22);
  });
});
