import { concatChunks, decodeModel, decodeTensor, encodeModel, encodeTensor, tensorFromProto } from "temper/onnx";
import { describe, expect, it } from "vitest";

const bytes = (...parts: readonly (number | readonly number[] | string)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part)));
/** Field `number` with the given content and its length. */
const field = (number: number, content: Uint8Array): number[] => {
  const length = content.length;
  return [number * 8 + 2, ...(length < 128 ? [length] : [(length & 127) | 128, length >> 7]), ...content];
};
const inGraph = (content: readonly number[]): Uint8Array => bytes(field(7, bytes(content)));
const inNode = (content: readonly number[]): Uint8Array => inGraph(field(1, bytes(content)));

describe("decodeModel names the place of what it refuses", () => {
  const ones = (count: number): number[] => Array.from({ length: count }, () => 255);
  const second = bytes(field(7, bytes(field(1, bytes(field(4, bytes("Relu")))), field(1, bytes([0x22, 9, 82])))));
  it.each<[string, Uint8Array, string]>([
    ["a number cut off", bytes([0x08, 0x80]), "model.irVersion: the number is cut off (at byte 0)."],
    ["a field without content", bytes([0x08]), "model.irVersion: the number is cut off (at byte 0)."],
    ["a tag cut off", bytes([0x08, 8, 0x80]), "model: the number is cut off (at byte 2)."],
    [
      "more than 10 bytes",
      bytes([0x08, ...ones(10), 1]),
      "model.irVersion: the number has more than 10 bytes (at byte 0).",
    ],
    [
      "more than 64 bits",
      bytes([0x08, ...ones(9), 2]),
      "model.irVersion: the number has more than 64 bits (at byte 0).",
    ],
    [
      "a version beyond 2^53",
      bytes([0x08, ...ones(8), 127]),
      "model.irVersion: 9223372036854775807 is out of range (at byte 0).",
    ],
    [
      "a length beyond the file",
      bytes([0x12, 5, 65]),
      "model.producerName: length 5, but only 1 bytes are left around it (at byte 0).",
    ],
    [
      "a length of 2^63",
      bytes([0x12, ...ones(9), 1]),
      "model.producerName: length 18446744073709552000, but only 0 bytes are left around it (at byte 0).",
    ],
    [
      "a length beyond its message",
      second,
      "model.graph.node[1].opType: length 9, but only 1 bytes are left around it (at byte 12).",
    ],
    ["bad UTF-8", inNode([0x22, 2, 0xc3, 0x28]), "model.graph.node[0].opType: the text is not UTF-8 (at byte 4)."],
    ["a wrong type", bytes([0x0a, 1, 1]), "model.irVersion: has wire type 2, not 0 (at byte 0)."],
    ["a wrong type in a list", inNode([0x08, 1]), "model.graph.node[0].input[0]: has wire type 0, not 2 (at byte 4)."],
    ["a group", bytes([0x0b, 0x0c]), "model.irVersion: has wire type 3, not 0 (at byte 0)."],
    [
      "an unknown group",
      bytes([0x93, 1, 0x94, 1]),
      "model.field 18: has wire type 3, which ONNX files do not use (at byte 0).",
    ],
    ["wire type 7", bytes([0x97, 1]), "model.field 18: has wire type 7, which ONNX files do not use (at byte 0)."],
    ["field number 0", bytes([0x02, 0]), "model: 2 is not a field tag (at byte 0)."],
    ["a huge field number", bytes([...ones(5), 1]), "model: 68719476735 is not a field tag (at byte 0)."],
    ["two graphs", bytes(field(7, bytes()), field(7, bytes())), "model.graph: stands twice (at byte 2)."],
    [
      "a float cut off",
      inNode(field(5, bytes([0x15, 0, 0]))),
      "model.graph.node[0].attribute[0].f: needs 4 bytes, but only 2 are left around it (at byte 6).",
    ],
    [
      "packed floats of 5 bytes",
      inGraph(field(5, bytes(field(4, bytes([0, 0, 0, 0, 0]))))),
      "model.graph.initializer[0].floatData: 5 bytes are not a multiple of 4 (at byte 4).",
    ],
    [
      "packed numbers cut off",
      inGraph(field(5, bytes(field(7, bytes([1, 0x80]))))),
      "model.graph.initializer[0].int64Data: the number is cut off (at byte 4).",
    ],
    [
      "dims beyond 2^53",
      inGraph(field(5, bytes([0x08, 1, 0x08, ...ones(8), 127]))),
      "model.graph.initializer[0].dims[1]: 9223372036854775807 is out of range (at byte 6).",
    ],
    [
      "packed dims cut off",
      inGraph(field(5, bytes(field(1, bytes([3, 0x80]))))),
      "model.graph.initializer[0].dims[1]: the number is cut off (at byte 4).",
    ],
    [
      "a data type of 33 bits",
      inGraph(field(5, bytes([0x10, 128, 128, 128, 128, 16]))),
      "model.graph.initializer[0].dataType: 4294967296 does not fit 32 bits (at byte 4).",
    ],
  ])("%s", (_, file, message) => {
    expect(() => decodeModel(file)).toThrow(
      expect.objectContaining({ name: "TemperError", code: "bad-file", message }),
    );
  });

  it("nesting deeper than 100", () => {
    let type = bytes(field(1, bytes([8, 1])));
    const nested = (levels: number): Uint8Array => {
      // TypeProto.sequence_type.elem_type: two messages a level, under graph, input and type
      for (let i = 0; i < levels; i++) type = bytes(field(4, bytes(field(1, type))));
      return inGraph(field(11, bytes(field(2, type))));
    };
    expect(decodeModel(nested(47)).graph!.input).toHaveLength(1);
    expect(() => decodeModel(nested(1))).toThrow(/nested deeper than 100 \(at byte \d+\)\.$/);
  });

  it("every prefix of a model: complete up to a field, or refused", () => {
    const model = {
      irVersion: 8,
      graph: { node: [{ input: ["x"], opType: "Relu" }], name: "größer" },
      producerName: "a",
    };
    const file = concatChunks(encodeModel(model));
    let refused = 0;
    for (let end = 0; end < file.length; end++) {
      try {
        expect(decodeModel(file.subarray(0, end))).not.toEqual(model);
      } catch (error) {
        refused++;
        expect(error).toMatchObject({ code: "bad-file", message: expect.stringMatching(/^model.*\(at byte \d+\)\.$/) });
      }
    }
    expect(refused).toBe(file.length - 3); // whole: the empty file, after irVersion, after producerName
  });
});

describe("memory stays within bounds", () => {
  /** A file of one sub-message repeated: the cheapest way to ask for many objects. */
  const repeated = (count: number, unit: readonly number[]): Uint8Array => {
    const content = new Uint8Array(count * unit.length);
    for (let i = 0; i < content.length; i++) content[i] = unit[i % unit.length]!;
    const length: number[] = [];
    let rest = content.length;
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
    return concatChunks([bytes([0x3a, ...length, rest]), content]);
  };

  it("a million empty nodes are read", () => {
    expect(decodeModel(repeated(1e6, [0x0a, 0])).graph!.node).toHaveLength(1e6);
  });

  it.each([
    ["empty messages", [0x0a, 0]],
    ["messages with an unknown field", [0x0a, 3, 0xf8, 1, 0]],
    ["texts in lists", [0x0a, 2, 0x0a, 0]],
  ])("16 MB of %s are refused", (_, unit) => {
    const file = repeated(Math.floor(1.6e7 / unit.length), unit);
    expect(() => decodeModel(file)).toThrow(/objects of this file need more than 512 MiB of memory/);
  });

  it("a list of 24 MB of packed small integers is refused", () => {
    const ints = new Uint8Array(2.4e7);
    const length = (n: number): number[] => [(n & 127) | 128, ((n >> 7) & 127) | 128, ((n >> 14) & 127) | 128, n >> 21];
    const wrap = (tag: number, content: Uint8Array): Uint8Array =>
      concatChunks([bytes([tag, ...length(content.length)]), content]);
    const file = wrap(0x3a, wrap(0x0a, wrap(0x2a, wrap(0x42, ints)))); // graph.node[0].attribute[0].ints
    expect(() => decodeModel(file)).toThrow(/attribute\[0\]\.ints\[\d+\]: the objects of this file need more/);
  });
});

describe("other ways to write the same", () => {
  const values = (file: Uint8Array): unknown => [...tensorFromProto(decodeTensor(file)).data];

  it("numbers packed, one by one, and mixed", () => {
    const dims = [0x08, 4, 0x10, 7]; // [4] int64
    const one = [0x38, 5, 0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0x38, 0x80, 2, 0x38, 7];
    const packed = field(7, bytes([5, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0x80, 2, 7]));
    const mixed = [0x38, 5, ...field(7, bytes(one.slice(3, 13))), ...field(7, bytes()), ...one.slice(13)];
    for (const data of [one, packed, mixed]) expect(values(bytes(dims, data))).toEqual([5n, -1n, 256n, 7n]);
    const split = [...one.slice(0, 2), ...dims, ...one.slice(2)]; // another field between
    expect(values(bytes(split))).toEqual([5n, -1n, 256n, 7n]);
  });

  it("floats and doubles one by one", () => {
    const [low, high] = [
      [0, 0, 0xc0, 0x3f],
      [0, 0, 0, 0xc0],
    ]; // 1.5 and -2
    expect(values(bytes([8, 2, 16, 1, 0x25], low, [0x25], high))).toEqual([1.5, -2]);
    const doubles = new Uint8Array(Float64Array.of(0.1).buffer);
    expect(values(bytes([8, 1, 16, 11, 0x51], [...doubles]))).toEqual([0.1]);
  });

  it("a million single numbers, each in a run of its own, in linear time", { timeout: 20_000 }, () => {
    const count = 1e6;
    const data = new Uint8Array(count * 3);
    for (let i = 0; i < count; i++) data.set([0x3a, 1, i & 127], 3 * i);
    const tensor = decodeTensor(concatChunks([bytes([8, 0xc0, 0x84, 0x3d, 16, 7]), data]));
    expect(tensor.int64Data).toHaveLength(count);
    expect(tensor.int64Data!.every((value, i) => value === (i & 127))).toBe(true);
  });

  it("attribute integers packed", () => {
    const model = decodeModel(inNode(field(5, bytes(field(8, bytes([1, 2, 0x80, 1]))))));
    expect(model.graph!.node![0]!.attribute![0]!.ints).toEqual([1, 2, 128]);
  });

  it("of alternatives, the last one counts", () => {
    const dimension = (content: readonly number[]) =>
      decodeModel(
        inGraph(field(11, bytes(field(2, bytes(field(1, bytes(field(2, bytes(field(1, bytes(content))))))))))),
      ).graph!.input![0]!.type!.tensorType!.shape!.dim![0];
    expect(dimension([8, 3, ...field(2, bytes("N"))])).toEqual({ dimParam: "N" });
    expect(dimension([...field(2, bytes("N")), 8, 3])).toEqual({ dimValue: 3 });
  });

  it("texts: short, long, beyond ASCII, with a byte-order mark, with lone surrogates replaced", () => {
    const texts = [
      "",
      "x",
      "x".repeat(33),
      "\ufeffmark",
      "größer",
      "模型".repeat(40),
      "🙂",
      "\u0000",
      "a".repeat(5000),
    ];
    const model = { graph: { node: [{ input: texts, output: texts }] } };
    expect(decodeModel(concatChunks(encodeModel(model)))).toEqual(model);
    const lone = concatChunks(encodeModel({ producerName: "a\ud800b\udc00" }));
    expect(decodeModel(lone).producerName).toBe("a\ufffdb\ufffd");
  });

  it("a Buffer gives plain arrays", () => {
    const tensor = decodeTensor(Buffer.from(concatChunks(encodeTensor({ rawData: Uint8Array.of(1, 2) }))));
    expect(tensor.rawData!.constructor).toBe(Uint8Array);
  });
});
