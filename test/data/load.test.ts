import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Tensor, isTemperError, tensor } from "temper/core";
import {
  applyRange,
  type LoadOptions,
  batchOf,
  countOf,
  gzip,
  loadDataset,
  writeCifar10,
  writeIdx,
  writeNpy,
  writeNpz,
} from "temper/data";
import { noise } from "./builders.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "temper-data-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, bytes: Uint8Array | string): string => {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, bytes);
  return full;
};
const folder = (path: string): string => join(root, path);

const failure = async (path: string, options?: LoadOptions): Promise<string> => {
  try {
    await loadDataset(path, options);
  } catch (error) {
    if (isTemperError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "no error";
};

const u8 = (shape: number[], seed = 1): Tensor =>
  tensor(
    "uint8",
    shape,
    noise(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
const classIndices = (...values: number[]): Tensor => tensor("uint8", [values.length], Uint8Array.from(values));

describe("IDX folders and files", () => {
  beforeAll(() => {
    put("idx/train-images-idx3-ubyte", writeIdx(u8([6, 3, 2], 1)));
    put("idx/train-labels-idx1-ubyte", writeIdx(classIndices(0, 1, 2, 0, 1, 2)));
    put("idx/t10k-images-idx3-ubyte.gz", gzip(writeIdx(u8([4, 3, 2], 2))));
    put("idx/t10k-labels-idx1-ubyte.gz", gzip(writeIdx(classIndices(2, 1, 0, 1))));
  });

  it("takes the test split by default, gzip or not", async () => {
    const dataset = await loadDataset(folder("idx"));
    expect(dataset).toMatchObject({ name: "idx", split: "test", shape: [1, 3, 2], range: [0, 1], stored: [0, 255] });
    expect([...dataset.labels]).toEqual([2, 1, 0, 1]);
    expect(dataset.pixels).toEqual(noise(24, 2));
    expect(dataset.classes).toEqual(["0", "1", "2"]);
    const train = await loadDataset(folder("idx"), { split: "train", range: "2:4", classes: ["a", "b", "c"] });
    expect([...train.labels]).toEqual([2, 0]);
    expect(train.classes).toEqual(["a", "b", "c"]);
  });

  it("finds the labels beside an images file", async () => {
    const dataset = await loadDataset(folder("idx/t10k-images-idx3-ubyte.gz"));
    expect(dataset.hash).toBe((await loadDataset(folder("idx"))).hash);
    expect(await failure(folder("idx/train-labels-idx1-ubyte"))).toMatch(/^bad-file: .*labels/);
    const alone = put("alone/images-idx3-ubyte", writeIdx(u8([1, 2, 2])));
    expect(await failure(alone)).toMatch(/^not-found: .*labels-idx1-ubyte beside it/);
  });

  it("names the splits that there are", async () => {
    expect(await failure(folder("idx"), { split: "validation" })).toMatch(
      /^not-found: .*no validation split.*train, test/,
    );
  });

  it("refuses counts that differ and empty sets", async () => {
    put("short/test-images-idx3-ubyte", writeIdx(u8([3, 2, 2])));
    put("short/test-labels-idx1-ubyte", writeIdx(classIndices(1, 0)));
    expect(await failure(folder("short"))).toMatch(/^bad-data: .*test-images-idx3-ubyte: 2 labels for 3 images/);
    put("empty/test-images-idx3-ubyte", writeIdx(u8([0, 2, 2])));
    put("empty/test-labels-idx1-ubyte", writeIdx(classIndices()));
    expect(await failure(folder("empty"))).toMatch(/^bad-data: .*no images/);
  });
});

describe("CIFAR folders and files", () => {
  beforeAll(() => {
    for (const [name, seed] of [
      ["data_batch_1", 1],
      ["data_batch_2", 2],
      ["data_batch_10", 10],
    ] as const)
      put(`cifar/${name}.bin`, writeCifar10(noise(3072, seed), [seed % 10]));
    put("cifar/test_batch.bin.gz", gzip(writeCifar10(noise(6144, 5), [7, 8])));
    put("cifar/val_train_0.bin", writeCifar10(noise(3072, 6), [6]));
    put("cifar/batches.meta.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n\n");
  });

  it("joins the batches in numeric order and reads the class names", async () => {
    const train = await loadDataset(folder("cifar"), { split: "train" });
    expect([...train.labels]).toEqual([1, 2, 0]);
    expect(train.pixels.subarray(6144)).toEqual(noise(3072, 10));
    expect(train.classes[9]).toBe("nine");
    expect([...(await loadDataset(folder("cifar"))).labels]).toEqual([7, 8]);
    expect([...(await loadDataset(folder("cifar"), { split: "validation" })).labels]).toEqual([6]);
    const twin = put("cifar/data_batch_1.bin.gz", gzip(writeCifar10(noise(3072, 1), [1])));
    expect(countOf(await loadDataset(folder("cifar"), { split: "train" }))).toBe(3);
    rmSync(twin);
  });

  it("says so where it assumes the class names", async () => {
    const path = put("lone/some.bin", writeCifar10(noise(3072, 1), [4]));
    const dataset = await loadDataset(path);
    expect(dataset.classes[4]).toBe("deer");
    expect(dataset.notes.join()).toContain("class names");
    put("lone/batches.meta.txt", "only\ntwo\n");
    expect(await failure(path)).toMatch(/^bad-file: .*batches.meta.txt/);
  });
});

describe("npy and npz", () => {
  const x = u8([3, 2, 2, 3]);
  const y = classIndices(0, 2, 1);

  it("finds arrays by the usual names", async () => {
    const plain = await loadDataset(put("p/a.npz", writeNpz({ x, y })));
    expect(plain).toMatchObject({ name: "a", shape: [3, 2, 2], classes: ["0", "1", "2"] });
    expect(plain.notes.join()).toContain("all of it was taken as test");
    for (const [images, labels] of [
      ["x_test", "y_test"],
      ["test_images", "test_labels"],
      ["X_test", "Y_test"],
      ["images", "labels"],
    ] as const) {
      const path = put(
        "p/b.npz",
        writeNpz({ [images]: x, [labels]: y, x_train: u8([1, 2, 2, 3]), y_train: classIndices(0) }),
      );
      expect((await loadDataset(path)).hash, images).toBe(plain.hash);
    }
    expect(await failure(put("p/c.npz", writeNpz({ weights: x })))).toMatch(/^not-found: .*found weights/);
    expect((await loadDataset(put("p/d.npz.gz", gzip(writeNpz({ x, y }))))).hash).toBe(plain.hash);
    put("q/x_test.npy", writeNpy(x));
    put("q/y_test.npy", writeNpy(y));
    expect((await loadDataset(folder("q"))).hash).toBe(plain.hash);
    expect((await loadDataset(folder("q/x_test.npy"))).hash).toBe(plain.hash);
    put("r/all.npz", writeNpz({ x, y }));
    expect((await loadDataset(folder("r"))).hash).toBe(plain.hash);
  });

  it("does not take a file of one split for another", async () => {
    put("s/train.npz", writeNpz({ x, y }));
    expect(await failure(folder("s"))).toMatch(/^not-found: .*no test split.*train/);
    expect(await failure(folder("s/train.npz"))).toMatch(/^not-found: .*no test split.*train/);
    expect(countOf(await loadDataset(folder("s"), { split: "train" }))).toBe(3);
  });

  it("asks for layout and range where they are not clear, and takes them", async () => {
    const images = tensor(
      "float32",
      [2, 3, 4, 3],
      Float32Array.from({ length: 72 }, (_, i) => i / 36 - 1),
    );
    const path = put("u.npz", writeNpz({ x: images, y: classIndices(0, 1) }));
    expect(await failure(path)).toMatch(/^bad-option: .*pixelRange/);
    expect(await failure(path, { pixelRange: [-1, 1] })).toMatch(/^bad-option: .*layout/);
    const dataset = await loadDataset(path, { pixelRange: [-1, 1], layout: "NHWC" });
    expect(dataset.shape).toEqual([3, 3, 4]);
    expect(batchOf(dataset, [0]).x[1]).toBeCloseTo(3 / 72, 6);
    expect(dataset.notes).toEqual(
      expect.arrayContaining(["layout NHWC as given", "values: float32, -1 to 1 as given"]),
    );
  });
});

describe("folders of pictures", () => {
  const picture = (seed: number, width = 4, channels: 1 | 3 = 3): Uint8Array =>
    encode({ width, height: 4, channels, depth: 8, data: noise(width * 4 * channels, seed) });

  beforeAll(() => {
    for (const split of ["train", "test"])
      for (const [label, name] of ["cat", "ant", "bee"].entries())
        for (const k of [0, 1])
          put(`pics/${split}/${name}/${k}.png`, picture(10 * label + k + (split === "test" ? 50 : 0)));
    put("pics/test/.hidden", "x");
    put("pics/test/ant/readme.txt", "x");
  });

  it("numbers the classes by the order of their names", async () => {
    const dataset = await loadDataset(folder("pics"));
    expect(dataset.classes).toEqual(["ant", "bee", "cat"]);
    expect([...dataset.labels]).toEqual([0, 0, 1, 1, 2, 2]);
    const red = [...dataset.pixels.subarray(4 * 48, 4 * 48 + 16)]; // first picture of cat, label 0 above, seed 50
    expect(red).toEqual([...noise(48, 50)].filter((_, i) => i % 3 === 0));
  });

  it("takes class folders without splits, JPEG and gzip too, and says so", async () => {
    const rgba = { width: 4, height: 4, data: new Uint8Array(64).fill(255) };
    put("flat/white/a.jpg", jpeg.encode(rgba, 90).data);
    put("flat/noise/a.png.gz", gzip(picture(3)));
    const dataset = await loadDataset(folder("flat"));
    expect(dataset.classes).toEqual(["noise", "white"]);
    expect(Math.min(...dataset.pixels.subarray(48))).toBeGreaterThan(250);
    expect(dataset.notes.join()).toContain("does not name splits");
  });

  it("names the picture that is of another size, or damaged", async () => {
    put("mixed/a/1.png", picture(1));
    const other = put("mixed/b/2.png", picture(1, 5));
    expect(await failure(folder("mixed"))).toMatch(/^bad-data: .*b\/2\.png has 5x4/);
    put("mixed/b/2.png", picture(1).slice(0, 40));
    expect(await failure(folder("mixed"))).toContain(`bad-file: ${other.replaceAll("\\", "/")}`);
  });
});

describe("names, paths and limits", () => {
  it.each(["0:100", "50:120", ":7", "1990:", "1990:3000"])(
    "a range of generated images (%s) is that part of all of them",
    async (range) => {
      const [part, whole] = [await loadDataset("glyphs", { range }), await loadDataset("glyphs")];
      const wanted = applyRange(whole, range);
      expect([part.hash, part.notes]).toEqual([wanted.hash, wanted.notes]);
    },
  );

  it("makes glyphs without any file", async () => {
    const dataset = await loadDataset("glyphs", { split: "validation", seed: 5, count: 30, range: "10:20" });
    expect(dataset).toMatchObject({ name: "glyphs", split: "validation" });
    expect(countOf(dataset)).toBe(10);
  });

  it("says what to do where a named set is not there", async () => {
    expect(await failure("mnist")).toMatch(/^not-found: .*temper data fetch mnist/);
    expect(await failure("cifar10", { dataRoot: root })).toMatch(/^not-found: .*temper data fetch cifar10/);
    put("mnist/train-images-idx3-ubyte", writeIdx(u8([1, 2, 2])));
    expect(await failure("mnist", { dataRoot: root })).toMatch(/^not-found: .*temper data fetch mnist/);
    put("mnist/test-images-idx3-ubyte", writeIdx(u8([1, 2, 2])));
    put("mnist/test-labels-idx1-ubyte", writeIdx(classIndices(3)));
    expect((await loadDataset("mnist", { dataRoot: root })).classes).toHaveLength(10);
  });

  it("names what it does not know and what is near", async () => {
    expect(await failure("glyph")).toMatch(/^not-found: .*Did you mean glyphs\?/);
    expect(await failure(folder("nothing-here"))).toMatch(/^not-found: /);
    expect(await failure("glyphs", { split: "dev" as "test" })).toMatch(/^bad-option: /);
    mkdirSync(folder("void"));
    expect(await failure(folder("void"))).toMatch(/^not-found: .*Expected train-images.*Found: nothing/);
    expect(await failure(put("text.bin", "hello"))).toMatch(/^bad-file: .*text\.bin/);
    expect(await failure(put("text.txt", "hello"))).toMatch(/^bad-file: .*Known: IDX/);
  });

  it("keeps to maxBytes, packed and unpacked", async () => {
    const path = put(
      "big.npz.gz",
      gzip(
        writeNpz({
          x: tensor("uint8", [9, 100, 100], new Uint8Array(90_000)),
          y: classIndices(0, 0, 0, 0, 0, 0, 0, 0, 0),
        }),
      ),
    );
    expect(countOf(await loadDataset(path))).toBe(9);
    for (const maxBytes of [50, 50_000]) expect(await failure(path, { maxBytes })).toMatch(/^bad-file: .*limit/);
    expect(await failure(folder("pics"), { maxBytes: 200 })).toMatch(/^bad-file: .*limit/);
  });
});
