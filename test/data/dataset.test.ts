import { describe, expect, it } from "vitest";
import { tensor } from "temper/core";
import {
  type Dataset,
  applyRange,
  batchBetween,
  batchOf,
  countOf,
  createDataset,
  datasetFromArrays,
  describeDataset,
  inRange,
  selectExamples,
  sliceDataset,
  takeExamples,
} from "temper/data";
import { errorOf } from "../errors.ts";

const facts = { name: "t", split: "test", source: "memory" } as const;
const parts = {
  ...facts,
  pixels: Uint8Array.of(0, 255, 51, 102, 153, 204),
  labels: Int32Array.of(0, 1, 0),
  shape: [1, 1, 2],
  classes: ["a", "b"],
} as const;
const dataset: Dataset = createDataset(parts);

describe("batches", () => {
  it("gives float32 numbers in [0, 1], in the order asked, repeats too", () => {
    const { x, labels, shape } = batchOf(dataset, [2, 0, 2]);
    expect(x).toEqual(Float32Array.of(153 / 255, 204 / 255, 0, 1, 153 / 255, 204 / 255));
    expect(labels).toEqual(Int32Array.of(0, 0, 0));
    expect(shape).toEqual([3, 1, 1, 2]);
    expect(batchBetween(dataset, 1, 3)).toEqual(batchOf(dataset, [1, 2]));
    expect(batchOf(dataset, [])).toEqual({ x: new Float32Array(0), labels: new Int32Array(0), shape: [0, 1, 1, 2] });
  });

  it("gives another range, from bytes and from floats", () => {
    expect(batchOf(inRange(dataset, [-1, 1]), [0]).x).toEqual(Float32Array.of(-1, 1));
    expect(batchOf(inRange(dataset, [0, 255]), [1, 2]).x).toEqual(Float32Array.of(51, 102, 153, 204));
    const narrow = createDataset({ ...parts, pixels: Uint8Array.of(51, 102, 153, 204, 51, 204), stored: [51, 204] });
    expect([...batchOf(narrow, [0, 1]).x]).toEqual([0, Math.fround(1 / 3), Math.fround(2 / 3), 1]);
    const floats = createDataset({ ...parts, pixels: Float32Array.of(-1, 1, 0, 0.5, -0.5, 0), stored: [-1, 1] });
    expect([...batchOf(floats, [0, 1]).x]).toEqual([0, 1, 0.5, 0.75]);
    expect([...batchOf(inRange(floats, [-1, 1]), [1]).x]).toEqual([0, 0.5]);
    expect(errorOf(() => inRange(dataset, [1, 0])).code).toBe("bad-option");
    expect(errorOf(() => inRange(dataset, [0, Number.NaN])).code).toBe("bad-option");
  });

  it("refuses indices that are not there", () => {
    for (const index of [-1, 3, 0.5, Number.NaN])
      expect(errorOf(() => batchOf(dataset, [index])).code).toBe("bad-option");
  });
});

describe("parts", () => {
  it("slices, takes and selects", () => {
    expect([...sliceDataset(dataset, 1, 3).pixels]).toEqual([51, 102, 153, 204]);
    expect([...sliceDataset(dataset, 1, 3).labels]).toEqual([1, 0]);
    expect(takeExamples(dataset, 2).hash).toBe(sliceDataset(dataset, 0, 2).hash);
    expect(takeExamples(dataset, 99)).toBe(dataset);
    expect(selectExamples(dataset, [1, 2]).hash).toBe(sliceDataset(dataset, 1, 3).hash);
    expect([...selectExamples(dataset, [2, 2]).pixels]).toEqual([153, 204, 153, 204]);
    for (const [start, end] of [
      [-1, 2],
      [2, 2],
      [0, 4],
      [0.5, 2],
    ] as const)
      expect(errorOf(() => sliceDataset(dataset, start, end)).code).toBe("bad-option");
    expect(errorOf(() => selectExamples(dataset, [])).code).toBe("bad-option");
  });

  it("reads ranges as the command line gives them", () => {
    expect([...applyRange(dataset, "1:2").labels]).toEqual([1]);
    expect(countOf(applyRange(dataset, ":2"))).toBe(2);
    expect(countOf(applyRange(dataset, "1:"))).toBe(2);
    expect(applyRange(dataset, ":")).toBe(dataset);
    expect(applyRange(dataset, "0:3").notes).toEqual([]);
    expect(applyRange(dataset, "1:9").notes).toEqual(["range 1:9 was cut to the 3 images that there are"]);
    for (const text of ["", "3", "a:b", "-1:2", "1:2:3", "3:4", "2:2", "2:1", "0:0"])
      expect(errorOf(() => applyRange(dataset, text)).code, text).toBe("bad-option");
  });

  it("fingerprints pixels, labels and shape, not names", () => {
    expect(createDataset({ ...parts, name: "other" }).hash).toBe(dataset.hash);
    expect(createDataset({ ...parts, labels: Int32Array.of(0, 1, 1) }).hash).not.toBe(dataset.hash);
    expect(createDataset({ ...parts, pixels: Uint8Array.of(0, 255, 51, 102, 153, 205) }).hash).not.toBe(dataset.hash);
    expect(createDataset({ ...parts, shape: [1, 2, 1] }).hash).not.toBe(dataset.hash);
  });

  it("describes itself without its pixels", () => {
    const { pixels: _, labels: __, ...rest } = { ...dataset, count: 3 };
    expect(describeDataset(dataset)).toEqual(rest);
  });

  it("refuses parts that contradict each other", () => {
    const wrong = [
      { labels: new Int32Array(0), pixels: new Uint8Array(0) },
      { labels: Int32Array.of(0, 1) },
      { labels: Int32Array.of(0, 1, 2) },
      { labels: Int32Array.of(0, -1, 0) },
      { pixels: Float32Array.of(0, 1, 0, 1, 0, 1.5) },
      { pixels: Float32Array.of(0, 1, 0, Number.NaN, 0, 1) },
      { stored: [0, 1] },
    ] as const;
    for (const change of wrong) expect(errorOf(() => createDataset({ ...parts, ...change })).code).toBe("bad-data");
    expect(errorOf(() => createDataset({ ...parts, labels: Int32Array.of(0, 1, 2) })).message).toContain(
      "label 2 of image 2",
    );
  });
});

describe("arrays", () => {
  const labels = tensor("int64", [2], BigInt64Array.of(1n, 0n));
  const bytes = (shape: readonly number[]): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);

  it("recognises the layout where the shape tells it, and says so", () => {
    const last = datasetFromArrays(facts, tensor("uint8", [2, 2, 2, 3], bytes([2, 2, 2, 3])), labels);
    expect(last.shape).toEqual([3, 2, 2]);
    expect([...last.pixels.subarray(0, 12)]).toEqual([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    expect(last.notes).toContain("layout NHWC recognised from the shape [2, 2, 2, 3]");
    const first = datasetFromArrays(facts, tensor("uint8", [2, 3, 2, 2], bytes([2, 3, 2, 2])), labels);
    expect(first.shape).toEqual([3, 2, 2]);
    expect(first.notes).toContain("layout NCHW recognised from the shape [2, 3, 2, 2]");
    expect(datasetFromArrays(facts, tensor("uint8", [2, 4, 5], bytes([2, 4, 5])), labels).shape).toEqual([1, 4, 5]);
    expect(datasetFromArrays(facts, tensor("uint8", [2, 7], bytes([2, 7])), labels).shape).toEqual([1, 1, 7]);
  });

  it.each([[[2, 3, 2, 3]], [[2, 4, 5, 6]], [[2, 1, 2, 1]]])("asks for the layout of %j", (shape) => {
    const images = tensor("uint8", shape, bytes(shape));
    expect(errorOf(() => datasetFromArrays(facts, images, labels)).message).toContain("NHWC");
    const [, a, b, c] = shape;
    expect(datasetFromArrays(facts, images, labels, { layout: "NHWC" }).shape).toEqual([c, a, b]);
    expect(datasetFromArrays(facts, images, labels, { layout: "NCHW" }).shape).toEqual([a, b, c]);
  });

  it("takes floats in [0, 1] as they are and asks for any other range", () => {
    const images = (...values: number[]) => tensor("float32", [2, 1, 1], Float32Array.from(values));
    const unit = datasetFromArrays(facts, images(0.25, 1), labels);
    expect([...batchOf(unit, [0, 1]).x]).toEqual([0.25, 1]);
    expect(unit.notes[0]).toContain("observed: 0.25 to 1");
    expect(errorOf(() => datasetFromArrays(facts, images(0, 255), labels)).message).toContain("pixelRange");
    expect(errorOf(() => datasetFromArrays(facts, images(0, Number.NaN), labels)).code).toBe("bad-option");
    const scaled = datasetFromArrays(facts, images(0, 255), labels, { pixelRange: [0, 255] });
    expect([...batchOf(scaled, [0, 1]).x]).toEqual([0, 1]);
    expect(errorOf(() => datasetFromArrays(facts, images(0, 256), labels, { pixelRange: [0, 255] })).code).toBe(
      "bad-data",
    );
    const integers = tensor("int64", [2, 1, 1], BigInt64Array.of(0n, 51n));
    expect(errorOf(() => datasetFromArrays(facts, integers, labels)).code).toBe("bad-option");
    expect([...batchOf(datasetFromArrays(facts, integers, labels, { pixelRange: [0, 255] }), [1]).x]).toEqual([
      Math.fround(0.2),
    ]);
    const truth = tensor("bool", [2, 1, 1], Uint8Array.of(0, 1));
    expect([...batchOf(datasetFromArrays(facts, truth, labels), [0, 1]).x]).toEqual([0, 1]);
  });

  it("refuses labels that are no class indices, and counts that differ", () => {
    const images = tensor("uint8", [2, 1, 1], Uint8Array.of(1, 2));
    const from = (values: number[], shape = [values.length]) => tensor("float64", shape, Float64Array.from(values));
    expect(datasetFromArrays(facts, images, from([4, 0], [2, 1])).classes).toEqual(["0", "1", "2", "3", "4"]);
    expect(errorOf(() => datasetFromArrays(facts, images, from([0, 0.5]))).code).toBe("bad-data");
    expect(errorOf(() => datasetFromArrays(facts, images, from([0, -1]))).code).toBe("bad-data");
    expect(errorOf(() => datasetFromArrays(facts, images, from([0, 1e15]))).code).toBe("bad-data");
    expect(errorOf(() => datasetFromArrays(facts, images, from([0, 1, 1]))).code).toBe("bad-data");
    expect(errorOf(() => datasetFromArrays(facts, images, from([0, 1, 0, 1], [2, 2]))).code).toBe("bad-shape");
    expect(errorOf(() => datasetFromArrays(facts, tensor("uint8", [0, 1, 1], new Uint8Array(0)), from([]))).code).toBe(
      "bad-data",
    );
    expect(errorOf(() => datasetFromArrays(facts, tensor("uint8", [2], Uint8Array.of(1, 2)), labels)).code).toBe(
      "bad-shape",
    );
  });
});
