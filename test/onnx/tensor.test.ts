import { readFileSync } from "node:fs";
import { DTYPES, type DType, type Tensor, zeros } from "temper/core";
import {
  DATA_TYPES,
  dataTypeName,
  dataTypeOf,
  decodeTensor,
  decodeText,
  denseFromSparse,
  dtypeOf,
  externalFromMemory,
  type SparseTensorProto,
  tensorFromProto,
  type TensorProto,
  tensorToProto,
} from "temper/onnx";
import { describe, expect, it } from "vitest";

interface Reference {
  readonly type: string;
  readonly values?: string;
  readonly typed: string;
  readonly raw?: string;
}
const reference = JSON.parse(readFileSync(new URL("../reference/onnx-tensors.json", import.meta.url), "utf8")) as {
  readonly tensors: readonly Reference[];
};
const usable = reference.tensors.filter((t) => t.values !== undefined);
const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = ({ data }: Tensor): string => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

describe.each(usable)("$type, as the Python package writes it", ({ type, values, typed, raw }) => {
  it("has its values, from typed fields and from raw bytes", () => {
    for (const file of [typed, raw!]) {
      const proto = decodeTensor(fromHex(file));
      const result = tensorFromProto(proto);
      expect(hexOf(result)).toBe(values);
      expect(result.shape).toEqual([2, 2]);
      expect(DATA_TYPES[dataTypeOf(result.dtype)]!.name).toBe(type);
      expect(result.data).toBeInstanceOf(DTYPES[result.dtype]);
    }
  });

  it("is refused with a value more or less than its dims say", () => {
    for (const file of [typed, raw!])
      for (const dims of [[5], [3], [2, 1], [], [0], [4, 0, 2]])
        expect(() => tensorFromProto({ ...decodeTensor(fromHex(file)), dims })).toThrow(
          expect.objectContaining({ code: "bad-file", message: expect.stringContaining(`tensor "${type}"`) as string }),
        );
  });
});

it("every element type of memory has a reference", () => {
  expect(usable.map((t) => t.type).sort()).toEqual(
    (Object.keys(DTYPES) as DType[]).map((dtype) => dataTypeName(dataTypeOf(dtype))).sort(),
  );
  for (const dtype of Object.keys(DTYPES) as DType[]) expect(dtypeOf(dataTypeOf(dtype))).toBe(dtype);
});

describe("types that are only kept", () => {
  const kept = reference.tensors.filter((t) => t.values === undefined);
  it.each(kept)("$type: no values, named in the error", ({ type, typed }) => {
    const message = `tensor "${type}" holds ${type} values, which Temper cannot use.`;
    expect(() => tensorFromProto(decodeTensor(fromHex(typed)))).toThrow(
      expect.objectContaining({ code: "unsupported", message }),
    );
  });

  it.each(kept)("$type: still checked for their count", ({ typed }) => {
    const tensor = { ...decodeTensor(fromHex(typed)), dims: [90] };
    expect(() => tensorFromProto(tensor)).toThrow(expect.objectContaining({ code: "bad-file" }));
  });
});

describe("memory", () => {
  const floats = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
  it("is shared where the bytes lie at a fitting offset, else copied once", () => {
    for (const offset of [0, 4, 1, 2]) {
      const file = new Uint8Array(20);
      file.set(floats, offset);
      const { data } = tensorFromProto({ dims: [3], dataType: 1, rawData: file.subarray(offset, offset + 12) });
      expect(data.buffer === file.buffer).toBe(offset % 4 === 0);
      expect([...data]).toEqual([1, 2, 3]);
    }
  });

  it("is shared by tensorToProto, for views into a bigger array too", () => {
    const data = Float64Array.of(9, 1, 2, 9).subarray(1, 3);
    const proto = tensorToProto("t", { dtype: "float64", shape: [2, 1], data });
    expect(proto.rawData!.buffer).toBe(data.buffer);
    expect(proto).toMatchObject({ name: "t", dims: [2, 1], dataType: 11 });
    expect(tensorFromProto(proto)).toEqual({ dtype: "float64", shape: [2, 1], data: Float64Array.of(1, 2) });
  });

  it("a Buffer at an odd offset is copied, not viewed", () => {
    const buffer = Buffer.alloc(13);
    buffer.set(floats, 1);
    const { data } = tensorFromProto({ dims: [3], dataType: 1, rawData: buffer.subarray(1) });
    expect([...data]).toEqual([1, 2, 3]);
  });
});

describe("refuses", () => {
  const ones = new Uint8Array(8).fill(1);
  it.each<[string, TensorProto, string]>([
    ["no type", { dims: [1], rawData: ones }, "there is no data type (none)"],
    ["an unknown type", { dims: [1], dataType: 77, rawData: ones }, "there is no data type 77"],
    ["a negative dimension", { dims: [-1], dataType: 1, rawData: ones }, "dimension -1 is not a size"],
    [
      "an uncountable shape",
      { dims: [2 ** 40, 2 ** 40], dataType: 1, rawData: ones },
      "more elements than can be counted",
    ],
    ["no data", { dims: [2, 3], dataType: 1 }, "[2, 3] needs 6 elements, but holds no data"],
    ["a lot of no data", { dims: [2 ** 50], dataType: 2 }, "but holds no data"],
    ["two fields", { dims: [2], dataType: 1, rawData: ones, floatData: ones }, "values in rawData and floatData"],
    ["the wrong field", { dims: [2], dataType: 1, int32Data: ones }, "of type float, which int32Data cannot hold"],
    ["strings in raw bytes", { dims: [8], dataType: 8, rawData: ones }, "of type string, which rawData cannot hold"],
    ["an unknown place", { dims: [2], dataType: 1, rawData: ones, dataLocation: 5 }, "data location 5"],
    [
      "external with data",
      { dims: [2], dataType: 1, rawData: ones, dataLocation: 1 },
      "in another file, yet has rawData",
    ],
    ["a bool of 2", { dims: [1], dataType: 9, rawData: Uint8Array.of(2) }, "bool number 0 is 2"],
    ["an int8 of 200", { dims: [1], dataType: 3, int32Data: Uint8Array.of(200, 1) }, "entry 0, 200, is no int8"],
    [
      "a uint8 of -1",
      { dims: [1], dataType: 2, int32Data: Uint8Array.of(255, 255, 255, 255, 15) },
      "entry 0, -1, is no uint8",
    ],
    [
      "a uint32 of 2^32",
      { dims: [1], dataType: 12, uint64Data: Uint8Array.of(128, 128, 128, 128, 16) },
      "is no uint32",
    ],
  ])("%s", (_, proto, message) => {
    expect(() => tensorFromProto({ name: "w", ...proto })).toThrow(
      expect.objectContaining({ code: "bad-file", message: expect.stringMatching(/^tensor "w"|^w/) as string }),
    );
    expect(() => tensorFromProto({ name: "w", ...proto })).toThrow(message);
  });

  it("a segment; and names the place of a tensor without a name", () => {
    const proto = { dims: [2], dataType: 1, rawData: ones, segment: { begin: 0, end: 2 } };
    expect(() => tensorFromProto(proto, { place: "graph.node[0].attribute[1].t" })).toThrow(
      "graph.node[0].attribute[1].t is a segment of a tensor. Save it whole.",
    );
  });

  it("names of control characters or endless length are made readable", () => {
    expect(() => tensorFromProto({ name: "\u001b[2J" })).toThrow('tensor "\\u001b[2J": there is no');
    expect(() => tensorFromProto({ name: "n".repeat(9999) })).toThrow(/^tensor "n{80}\.\.\.n{30}": /);
  });

  it("values to write that do not fill their shape", () => {
    for (const shape of [[3], [-1], [2, 2]])
      expect(() => tensorToProto("t", { dtype: "float32", shape, data: new Float32Array(2) })).toThrow(
        expect.objectContaining({ code: "bad-shape" }),
      );
  });
});

it("empty tensors need no data", () => {
  expect(tensorFromProto({ dims: [0, 5], dataType: 1 })).toEqual(zeros("float32", [0, 5]));
  expect(tensorFromProto({ dims: [3, 0], dataType: 7, rawData: new Uint8Array(0) })).toEqual(zeros("int64", [3, 0]));
});

describe("sparse tensors", () => {
  const values = tensorToProto("s", { dtype: "float32", shape: [2], data: Float32Array.of(5, 6) });
  const indices = (shape: readonly number[], ...at: bigint[]): TensorProto =>
    tensorToProto("", { dtype: "int64", shape, data: BigInt64Array.from(at) });

  it("become dense, from flat indices and from coordinates", () => {
    const dense = { dtype: "float32", shape: [2, 3], data: Float32Array.of(0, 5, 0, 0, 0, 6) };
    expect(denseFromSparse({ values, indices: indices([2], 1n, 5n), dims: [2, 3] })).toEqual(dense);
    expect(denseFromSparse({ values, indices: indices([2, 2], 0n, 1n, 1n, 2n), dims: [2, 3] })).toEqual(dense);
  });

  it.each<[string, SparseTensorProto, string, string]>([
    ["no values", { dims: [2] }, "bad-file", "it has no values"],
    ["no indices", { values, dims: [4] }, "bad-file", "it has no indices"],
    [
      "an index outside",
      { values, indices: indices([2], 0n, 6n), dims: [2, 3] },
      "bad-file",
      "index 1 is out of range",
    ],
    [
      "a negative index",
      { values, indices: indices([2], -1n, 2n), dims: [2, 3] },
      "bad-file",
      "index 0 is out of range",
    ],
    ["a coordinate outside", { values, indices: indices([2, 2], 0n, 3n, 1n, 0n), dims: [2, 3] }, "bad-file", "index 0"],
    ["an index twice", { values, indices: indices([2], 1n, 1n), dims: [2, 3] }, "bad-file", "not above the one before"],
    ["too few indices", { values, indices: indices([1], 1n), dims: [2, 3] }, "bad-file", "indices [1] do not fit"],
    [
      "a wrong rank",
      { values, indices: indices([2, 1], 1n, 2n), dims: [2, 3] },
      "bad-file",
      "indices [2, 1] do not fit",
    ],
    ["more values than elements", { values, indices: indices([2], 0n, 1n), dims: [1] }, "bad-file", "2 values for 1"],
    ["terabytes", { values, indices: indices([2], 0n, 1n), dims: [2 ** 40] }, "unsupported", "more than maxElements"],
    ["float indices", { values, indices: values, dims: [9] }, "bad-file", "its indices are float, not int64"],
  ])("are refused with %s", (_, proto, code, message) => {
    expect(() => denseFromSparse(proto)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    );
  });
});

describe("external data in memory", () => {
  const proto = (...entries: readonly (readonly [string, string])[]): TensorProto => ({
    name: "w",
    dims: [2],
    dataType: 1,
    dataLocation: 1,
    externalData: entries.map(([key, value]) => ({ key, value })),
  });
  const file = new Uint8Array(16);
  file.set(new Uint8Array(Float32Array.of(7, 8).buffer), 4);
  const external = externalFromMemory({ "a.bin": file });

  it("is read from its stretch without a copy", () => {
    const { data } = tensorFromProto(proto(["location", "a.bin"], ["offset", "4"], ["length", "8"]), { external });
    expect([...data]).toEqual([7, 8]);
    expect(data.buffer).toBe(file.buffer);
    expect([...tensorFromProto(proto(["location", "a.bin"], ["offset", "4"]), { external }).data]).toEqual([7, 8]);
  });

  it.each<[TensorProto, string]>([
    [proto(), "no location"],
    [proto(["location", "../a.bin"]), "is not a plain path"],
    [proto(["location", "/a.bin"]), "is not a plain path"],
    [proto(["location", "C:\\a.bin"]), "is not a plain path"],
    [proto(["location", "x/../../a.bin"]), "is not a plain path"],
    [proto(["location", "a.bin"], ["offset", "-4"]), 'external offset "-4" is not a count'],
    [proto(["location", "a.bin"], ["offset", "1e1"]), 'external offset "1e1" is not a count'],
    [proto(["location", "a.bin"], ["offset", "9999999999999999"]), "is not a count"],
    [proto(["location", "a.bin"], ["length", "4"]), "needs 8 bytes, its external data has length 4"],
    [proto(["location", "a.bin"], ["offset", "9"]), 'bytes 9 to 17 of "a.bin", which has only 16'],
    [proto(["location", "b.bin"]), 'no external file "b.bin" is given'],
    [proto(["location", "toString"]), 'no external file "toString" is given'],
    [{ ...proto(["location", "a.bin"]), dataType: 8 }, "strings cannot be in another file"],
  ])("refuses a lie, case %#", (tensor, message) => {
    expect(() => tensorFromProto(tensor, { external })).toThrow(message);
    expect(() => tensorFromProto(tensor, { external })).toThrow(expect.objectContaining({ name: "TemperError" }));
  });

  it("says what is missing without it", () => {
    expect(() => tensorFromProto(proto(["location", "a.bin"]))).toThrow(
      expect.objectContaining({
        code: "unsupported",
        message: 'tensor "w" has its values in the file "a.bin". Read the model from disk, or give external data.',
      }),
    );
  });
});

it("decodeText reads UTF-8 and names what is not", () => {
  expect(decodeText(Uint8Array.of(0xc3, 0xb6), "x")).toBe("ö");
  expect(() => decodeText(Uint8Array.of(0xc3), 'attribute "mode"')).toThrow('attribute "mode" is not UTF-8 text.');
});
