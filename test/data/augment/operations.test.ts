import { describe, expect, it } from "vitest";
import { type Extent, type ImageView, operations } from "temper/data";
import reference from "./reference.json" with { type: "json" };

const extent: Extent = { ...reference.extent, translate: () => reference.extent.translate };
const shape = reference.shape as unknown as ImageView["shape"];

const inRange = (values: readonly number[], [low, high]: ImageView["range"]): Float32Array =>
  Float32Array.from(values, (value) => low + (high - low) * value);
const viewOf = (bytes: readonly number[], range: ImageView["range"], of = shape): ImageView => ({
  pixels: inRange(
    bytes.map((byte) => byte / 255),
    range,
  ),
  shape: of,
  range,
});
const furthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe("operations agree with torchvision", () => {
  it.each(reference.cases)("$operation, share $share", ({ operation, share, values }) => {
    // In any range, since all of them are meant relative to it. Colours weigh 0.299 red, there 0.2989.
    for (const range of [
      [0, 1],
      [-1, 3],
    ] as const) {
      const image = viewOf(reference.bytes, range);
      operations[operation as keyof typeof operations].apply(image, share, extent);
      expect(furthest(image.pixels, inRange(values, range)) / (range[1] - range[0])).toBeLessThan(2e-4);
    }
  });

  it("equalize, an image of more pixels than bytes have values", () => {
    const { shape: of, bytes, expected } = reference.equalize;
    const image = viewOf(bytes, [0, 1], of as unknown as ImageView["shape"]);
    operations.equalize.apply(image, 0, extent);
    expect(Array.from(image.pixels, (value) => Math.round(255 * value))).toEqual(expected);
  });

  it("each is in the reference", () => {
    const tried = new Set(reference.cases.map(({ operation }) => operation));
    expect(Object.keys(operations).filter((name) => !tried.has(name))).toEqual(["identity"]);
  });
});

describe("special images", () => {
  const flat = (value: number, of: ImageView["shape"]): ImageView => ({
    pixels: new Float32Array(of[0] * of[1] * of[2]).fill(value),
    shape: of,
    range: [0, 1],
  });

  it("an image of one value keeps it, except where it is inverted or darkened", () => {
    for (const name of ["color", "contrast", "sharpness", "autocontrast", "equalize"] as const) {
      const image = flat(0.25, [3, 5, 5]);
      operations[name].apply(image, 1, extent);
      expect(furthest(image.pixels, new Float32Array(75).fill(0.25)), name).toBeLessThan(1e-6);
    }
  });

  it("one channel, one pixel and one row are images too", () => {
    for (const of of [
      [1, 4, 4],
      [1, 1, 1],
      [2, 1, 6],
    ] as const)
      for (const [name, { apply }] of Object.entries(operations)) {
        const image = flat(0.5, of);
        apply(image, 1, extent);
        expect(
          image.pixels.every((value) => value >= 0 && value <= 1),
          name,
        ).toBe(true);
      }
  });
});
