import { createRng, isTemperError, type Tensor, tensor } from "temper/core";
import { decodeSafetensors, encodeSafetensors } from "temper/train";
import { describe, expect, it } from "vitest";
import { mutation } from "../mutate.ts";

const rng = createRng(1);
const tensors: Record<string, Tensor> = {
  "conv1.weight": tensor(
    "float32",
    [4, 1, 3, 3],
    Float32Array.from({ length: 36 }, () => rng.normal()),
  ),
  "a scalar": tensor("float32", [], Float32Array.of(-0)),
  empty: tensor("float64", [0, 7], new Float64Array(0)),
  'fc/ünïcode " quoted': tensor("float64", [2], Float64Array.of(Math.PI, -Infinity)),
  labels: tensor("int64", [2], BigInt64Array.of(-1n, 2n ** 62n)),
  counts: tensor("int32", [3], Int32Array.of(1, 2, -3)),
  bytes: tensor("uint8", [3], Uint8Array.of(0, 128, 255)),
};
const metadata = { step: "12" };
const file = encodeSafetensors({ tensors, metadata });

/** A file with this header and this many bytes behind it. */
const withHeader = (header: unknown, bytes = 0): Uint8Array => {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + text.length + bytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  return out;
};
const refused = (bytes: Uint8Array) => expect(() => decodeSafetensors("the file", bytes));

describe("safetensors", () => {
  it("come back as they went, also from a part of a larger buffer", () => {
    expect(decodeSafetensors("x", file)).toEqual({ tensors, metadata });
    const pool = Buffer.alloc(file.length + 100, 7);
    pool.set(file, 33);
    expect(decodeSafetensors("x", pool.subarray(33, 33 + file.length))).toEqual({ tensors, metadata });
  });
  it("are laid out as the format says", () => {
    const small = encodeSafetensors({ tensors: { w: tensor("float32", [1], Float32Array.of(1)) }, metadata: {} });
    const header = '{"__metadata__":{},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
    expect(Buffer.from(small).toString("latin1")).toBe(
      String.fromCharCode(Math.ceil(header.length / 8) * 8) +
        "\0\0\0\0\0\0\0" +
        header.padEnd(Math.ceil(header.length / 8) * 8) +
        "\0\0\u0080?",
    );
  });
  it("read files without metadata", () => {
    const { tensors: read, metadata: none } = decodeSafetensors(
      "x",
      withHeader({ w: { dtype: "U8", shape: [2], data_offsets: [0, 2] } }, 2),
    );
    expect(read["w"]!.data).toEqual(new Uint8Array(2));
    expect(none).toEqual({});
  });
  it("name the file and what is wrong with it", () => {
    const w = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
    refused(new Uint8Array(3)).toThrow(/the file: is too short/);
    refused(file.slice(0, -1)).toThrow(/the file has/);
    refused(Uint8Array.of(...file, 0)).toThrow(/the file has/);
    refused(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 1)).toThrow(/says that its header has/);
    refused(withHeader("{")).toThrow(/header that is not a JSON object/);
    refused(withHeader([])).toThrow(/header that is not a JSON object/);
    refused(withHeader({ w: 3 })).toThrow(/"w" is not a tensor/);
    refused(withHeader({ w: { ...w, dtype: "F16" } }, 8)).toThrow(/"w" has no valid type or shape/);
    refused(withHeader({ w: { ...w, dtype: "constructor" } }, 8)).toThrow(/"w" has no valid type/);
    refused(withHeader({ w: { ...w, shape: [-2] } }, 8)).toThrow(/"w" has no valid type or shape/);
    refused(withHeader({ w: { ...w, shape: [1e300] } }, 8)).toThrow(/"w" has no valid type or shape/);
    refused(withHeader({ w: { ...w, shape: [2 ** 52, 2 ** 52] } }, 8)).toThrow(/"w" does not fill its shape/);
    refused(withHeader({ w: { ...w, data_offsets: [0] } }, 8)).toThrow(/"w" does not fill its shape/);
    refused(withHeader({ w: { ...w, data_offsets: [4, 12] } }, 12)).toThrow(/"w" does not begin where/);
    refused(withHeader({ w, v: w }, 8)).toThrow(/"v" does not begin where/); // many names for the same bytes
    refused(withHeader({ w, __metadata__: { step: 3 } }, 8)).toThrow(/metadata that is not text/);
    expect(() => encodeSafetensors({ tensors: { h: tensor("float16", [1], new Uint16Array(1)) }, metadata })).toThrow(
      /"h" is float16/,
    );
  });
  it("keep odd names to themselves", () => {
    const odd = withHeader('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1);
    const { tensors: read } = decodeSafetensors("x", odd);
    expect(Object.keys(read)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });
  it("survive 4,000 damaged files: read, or refused with bad-file", () => {
    const seen = { read: 0, refused: 0 };
    for (let i = 0; i < 4000; i++) {
      const { bytes } = mutation(file, 9, i);
      try {
        const { tensors: read } = decodeSafetensors("x", bytes);
        const size = Object.values(read).reduce((sum, { data }) => sum + data.byteLength, 0);
        expect(size).toBeLessThan(bytes.length);
        seen.read++;
      } catch (error) {
        if (!isTemperError(error) || error.code !== "bad-file") throw error;
        seen.refused++;
      }
    }
    expect(seen.read).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(1000);
  });
});
