import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { afterAll, describe, expect, it } from "vitest";
import { isTemperError, sizeOf, tensor } from "temper/core";
import {
  type Image,
  countOf,
  decodeImage,
  gunzip,
  gzip,
  loadDataset,
  readCifar,
  readIdx,
  readNpy,
  readNpz,
  readTar,
  writeCifar10,
  writeIdx,
  writeNpy,
  writeNpz,
} from "temper/data";
import { mutations } from "../mutate.ts";
import { base64, noise, tar } from "./builders.ts";
import reference from "./reference.json" with { type: "json" };

// Damaged files: each must be refused with a TemperError or give a right result, within 5 seconds and 1 GiB.
const CASES = Number(process.env["TEMPER_MUTATIONS"] ?? 20);
const LIMIT_SECONDS = 5;
const LIMIT_BYTES = 1024 ** 3;

interface Subject {
  readonly bytes: Uint8Array;
  /** Reads the bytes and throws a plain Error where what came out cannot be right. */
  readonly read: (bytes: Uint8Array) => unknown;
}

const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Error(`accepted, but ${what}`);
};

/** For formats with checksums: what is accepted must be what was written. */
const same = <T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): Subject => {
  const right = JSON.stringify(decode(bytes));
  return { bytes, read: (damaged) => must(JSON.stringify(decode(damaged)) === right, "it is not what was written") };
};

const array = (
  bytes: Uint8Array,
  read: (name: string, bytes: Uint8Array) => { shape: readonly number[]; data: { length: number } },
): Subject => ({
  bytes,
  read: (damaged) => {
    const { shape, data } = read("a", damaged);
    must(data.length === sizeOf(shape), "the shape is not filled");
  },
});

const picture = (bytes: Uint8Array): Subject => ({
  bytes,
  read: (damaged) => {
    const { width, height, channels, data } = decodeImage("a", damaged);
    must(data.length === width * height * channels, "the picture is not filled");
  },
});

/** The picture without the notice of dropped transparency, which rests on a chunk that damage may rename. */
const pixelsOf = ({ width, height, channels, maximum, data }: Image): unknown => [
  width,
  height,
  channels,
  maximum,
  ...data,
];

const [width, height] = [20, 14];
const pngOf = (channels: number, depth: 8 | 16, interlace: "null" | "Adam7"): Uint8Array => {
  const bytes = noise(width * height * channels * (depth / 8), channels);
  return encode(
    { width, height, channels, depth, data: depth === 16 ? new Uint16Array(bytes.buffer) : bytes },
    { interlace },
  );
};
const decodePixels = (bytes: Uint8Array): unknown => pixelsOf(decodeImage("a", bytes));
const members = { "a.bin": noise(700, 1), "b.bin": noise(20, 2) };
const images = tensor("uint8", [6, 5, 4], noise(120, 1));
const classIndices = tensor("uint8", [6], Uint8Array.of(0, 1, 2, 2, 1, 0));
const compressible = Uint8Array.from({ length: 5000 }, (_, i) => (i >> 4) & 15);

const subjects: Record<string, Subject> = {
  "npy, float64 Fortran": array(base64(reference.npy["float64 Fortran order"].file), readNpy),
  "npy, bytes": array(writeNpy(images), readNpy),
  "npz, stored": {
    bytes: base64(reference["npz stored"]),
    read: (damaged) => {
      for (const [name, { data }] of readNpz("a", damaged)) {
        const expected = name === "x" ? reference["npz values"].x : reference["npz values"].y;
        const known = name === "x" || name === "y"; // names have no checksum
        must(
          !known || JSON.stringify(Array.from(data as ArrayLike<number>, Number)) === JSON.stringify(expected),
          "it is not what was written",
        );
      }
    },
  },
  "npz, deflated": array(
    writeNpz({ x: images }),
    (name, bytes) => [...readNpz(name, bytes).values()][0] ?? { shape: [0], data: [] },
  ),
  IDX: array(writeIdx(images), readIdx),
  CIFAR: {
    bytes: writeCifar10(noise(3 * 3072, 2), [1, 5, 9]),
    read: (damaged) => {
      const { pixels, labels, classCount } = readCifar("a", damaged);
      must(
        pixels.length === labels.length * 3072 && labels.every((label) => label < classCount),
        "labels and images differ",
      );
    },
  },
  "PNG, colour": same(decodePixels, pngOf(3, 8, "null")),
  "PNG, 16 bits with alpha, interlaced": same(decodePixels, pngOf(4, 16, "Adam7")),
  "PNG, palette": same(decodePixels, base64(reference.images["palette png with transparency"].file)),
  "JPEG, grey": picture(base64(reference.images["grey jpeg"].file)),
  "JPEG, 4:2:0": picture(base64(reference.images["colour jpeg 4:2:0"].file)),
  "JPEG, progressive": picture(base64(reference.images["progressive jpeg"].file)),
  "JPEG, by jpeg-js": picture(
    new Uint8Array(jpeg.encode({ width, height, data: noise(width * height * 4, 3) }, 50).data),
  ),
  gzip: same((bytes) => [...gunzip("a", bytes)], gzip(compressible)),
  tar: {
    bytes: tar(members),
    read: (damaged) => {
      const found = readTar("a", damaged).map(({ name, data }) => `${name} ${data.length}`);
      const all = Object.entries(members).map(([name, data]) => `${name} ${data.length}`);
      // headers have a checksum, but a wiped tail looks like the end of the archive
      must(JSON.stringify(found) === JSON.stringify(all.slice(0, found.length)), "it is not what was written");
    },
  },
};

const folder = mkdtempSync(join(tmpdir(), "temper-hostile-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "test-labels-idx1-ubyte"), writeIdx(classIndices));

const files: Record<string, Uint8Array> = {
  "test-images-idx3-ubyte.gz": gzip(writeIdx(images)),
  "arrays.npz": writeNpz({ x: images, y: classIndices }),
  "some.bin": writeCifar10(noise(3 * 3072, 2), [1, 5, 9]),
};

/** Runs the cases of one subject. @returns how many were refused and accepted */
const judge = async (
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => unknown,
): Promise<{ refused: number; accepted: number }> => {
  const counts = { refused: 0, accepted: 0 };
  for (const { index, kind, bytes: damaged } of mutations(bytes, 20_240_601, CASES)) {
    const began = performance.now();
    try {
      await read(damaged);
      counts.accepted++;
    } catch (error) {
      if (!isTemperError(error)) throw new Error(`case ${index} (${kind}): ${String(error)}`, { cause: error });
      counts.refused++;
    }
    expect((performance.now() - began) / 1000, `case ${index} (${kind})`).toBeLessThan(LIMIT_SECONDS);
  }
  return counts;
};

describe("damaged bytes", () => {
  it.each(Object.entries(subjects))("%s: refused or right", async (_, { bytes, read }) => {
    expect(read(bytes)).toBe(undefined); // the undamaged file passes
    const { refused } = await judge(bytes, read);
    expect(refused).toBeGreaterThan(0);
  });

  it.each(Object.entries(files))("%s on disk: refused or right", async (name, bytes) => {
    const read = async (damaged: Uint8Array): Promise<void> => {
      writeFileSync(join(folder, name), damaged);
      const { pixels, labels, shape, classes } = await loadDataset(join(folder, name));
      must(pixels.length === labels.length * sizeOf(shape), "labels and images differ");
      must(
        labels.every((label) => label >= 0 && label < classes.length),
        "a label has no class",
      );
    };
    await read(bytes);
    expect(countOf(await loadDataset(join(folder, name)))).toBeGreaterThan(0);
    expect((await judge(bytes, read)).refused).toBeGreaterThan(0);
  });

  it("took less than 1 GiB in all", () => {
    expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(LIMIT_BYTES);
  });
});
