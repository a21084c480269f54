import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type DType, fromFloat64, isTemperError, tensor, toFloat64 } from "temper/core";
import {
  gunzip,
  gzip,
  isGzip,
  isIdx,
  isNpy,
  isZip,
  listZip,
  readCifar,
  readIdx,
  readNpy,
  readNpz,
  readTar,
  readZip,
  writeCifar10,
  writeIdx,
  writeNpy,
  writeNpz,
  writeZip,
} from "temper/data";
import { base64, concat, noise, tar } from "./builders.ts";
import reference from "./reference.json" with { type: "json" };

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (isTemperError(error)) return error.code;
    throw error;
  }
  return "no error";
};

describe("npy", () => {
  it.each(Object.entries(reference.npy))("reads what NumPy wrote: %s", (_, { file, dtype, shape, values }) => {
    const array = readNpy("a.npy", base64(file));
    expect(array.dtype).toBe(dtype);
    expect(array.shape).toEqual(shape);
    expect([...toFloat64(array)]).toEqual(values);
  });

  const dtypes = [
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
  ];
  it.each(dtypes as DType[])("%s survives writing and reading", (dtype) => {
    const array = fromFloat64(Float64Array.of(0, 1, 1, 0, 1, 1), dtype, [3, 1, 2]);
    expect(readNpy("a.npy", writeNpy(array))).toEqual(array);
  });

  it("writes exactly the header that NumPy writes", () => {
    const { file } = reference.npy.int64;
    expect(writeNpy(readNpy("a.npy", base64(file)))).toEqual(base64(file));
  });

  it("reads an array that does not begin at an aligned address", () => {
    const file = base64(reference.npy["float32, version 3"].file);
    const shifted = concat(new Uint8Array(1), file).subarray(1);
    expect(readNpy("a.npy", shifted)).toEqual(readNpy("a.npy", file));
  });

  it("refuses object, structured and complex arrays", () => {
    expect(codeOf(() => readNpy("a.npy", base64(reference["object array"])))).toBe("unsupported");
    expect(codeOf(() => readNpy("a.npy", base64(reference["structured array"])))).toBe("bad-file");
    expect(codeOf(() => readNpy("a.npy", base64(reference["complex array"])))).toBe("unsupported");
  });

  it("refuses a missing and a surplus byte, and shapes beyond any memory", () => {
    const file = writeNpy(tensor("uint8", [9], new Uint8Array(9)));
    expect(codeOf(() => readNpy("a.npy", file.subarray(0, -1)))).toBe("bad-file");
    expect(codeOf(() => readNpy("a.npy", concat(file, new Uint8Array(1))))).toBe("bad-file");
    const huge = new TextDecoder("latin1").decode(file).replace("(9,), }          ", "(9999999999999,), }");
    expect(
      codeOf(() =>
        readNpy(
          "a.npy",
          Uint8Array.from(huge, (c) => c.charCodeAt(0)),
        ),
      ),
    ).toBe("bad-file");
  });
});

describe("npz and zip", () => {
  it.each(["npz stored", "npz deflated"] as const)("reads what NumPy wrote: %s", (key) => {
    const arrays = readNpz("a.npz", base64(reference[key]));
    const { x, xShape, y } = reference["npz values"];
    expect([...arrays.keys()]).toEqual(["x", "y"]);
    expect(arrays.get("x")!.shape).toEqual(xShape);
    expect([...toFloat64(arrays.get("x")!)]).toEqual(x);
    expect([...toFloat64(arrays.get("y")!)]).toEqual(y);
  });

  it("survives writing and reading, equal bytes for equal arrays", () => {
    const arrays = {
      a: tensor("float32", [2, 2], Float32Array.of(1, -2, 3.5, 0)),
      b: tensor("int32", [1], Int32Array.of(7)),
    };
    const file = writeNpz(arrays);
    expect(Object.fromEntries(readNpz("a.npz", file))).toEqual(arrays);
    expect(writeNpz(arrays)).toEqual(file);
  });

  it("unpacks only what is wanted", () => {
    const file = writeZip({ "a.txt": noise(100, 1), "b.txt": noise(100, 2) });
    expect(listZip("a.zip", file)).toEqual(["a.txt", "b.txt"]);
    expect([...readZip("a.zip", file, { wanted: (name) => name === "b.txt" })]).toEqual([["b.txt", noise(100, 2)]]);
  });

  it("adds up the declared sizes before it unpacks anything", () => {
    const file = writeZip({ a: new Uint8Array(600_000), b: new Uint8Array(600_000) });
    expect(file.length).toBeLessThan(3000);
    expect(codeOf(() => readZip("bomb.zip", file, { maxBytes: 1_000_000 }))).toBe("bad-file");
    expect(readZip("a.zip", file, { maxBytes: 1_200_000 }).size).toBe(2);
  });

  it("refuses an entry that unpacks to more than it declares", () => {
    const file = writeZip({ a: new Uint8Array(600_000) });
    const view = new DataView(file.buffer);
    const entry = Array.from({ length: file.length - 4 }, (_, i) => i).find(
      (i) => view.getUint32(i, true) === 0x02014b50,
    )!;
    view.setUint32(entry + 24, 1000, true);
    expect(codeOf(() => readZip("lie.zip", file))).toBe("bad-file");
  });

  it("sees a changed byte in stored data", () => {
    const file = base64(reference["npz stored"]);
    file[200]! ^= 1; // within the data of x
    expect(codeOf(() => readNpz("a.npz", file))).toBe("bad-file");
  });
});

describe("gzip", () => {
  it("reads Node's gzip, one member and several, and checks each checksum", () => {
    const [a, b] = [noise(100_000, 1), new Uint8Array(300_000)];
    expect(gunzip("a.gz", new Uint8Array(gzipSync(a)))).toEqual(a);
    const two = concat(gzipSync(a), gzipSync(b));
    expect(Buffer.compare(gunzip("two.gz", two), concat(a, b))).toBe(0);
    two[gzipSync(a).length - 5]! ^= 1; // size field of the first member
    expect(codeOf(() => gunzip("two.gz", two))).toBe("bad-file");
  });

  it("survives writing and reading, the empty file too", () => {
    expect(gunzip("a.gz", gzip(noise(1000, 3)))).toEqual(noise(1000, 3));
    expect(gunzip("a.gz", gzip(new Uint8Array(0)))).toEqual(new Uint8Array(0));
    expect(gzip(noise(1000, 3))).toEqual(gzip(noise(1000, 3)));
  });

  it("stops at the limit, whatever the file says of its size", () => {
    const bomb = gzip(new Uint8Array(20_000_000));
    expect(codeOf(() => gunzip("bomb.gz", bomb, 1_000_000))).toBe("bad-file");
    new DataView(bomb.buffer).setUint32(bomb.length - 4, 10, true);
    expect(codeOf(() => gunzip("bomb.gz", bomb, 1_000_000))).toBe("bad-file");
    expect(codeOf(() => gunzip("bomb.gz", bomb))).toBe("bad-file");
  });

  it("refuses every truncation, and no changed byte gives other contents", () => {
    const file = gzip(noise(200, 5));
    for (let length = 0; length < file.length; length++)
      expect(
        codeOf(() => gunzip("a.gz", file.subarray(0, length))),
        `cut to ${length}`,
      ).toBe("bad-file");
    let refused = 0;
    for (let at = 0; at < file.length; at++) {
      const changed = file.slice();
      changed[at]! ^= 0x10;
      const code = codeOf(() => expect(gunzip("a.gz", changed)).toEqual(noise(200, 5)));
      if (code !== "no error") refused++;
    }
    expect(refused).toBeGreaterThan(205); // the rest: time and system in the header, unused bits of a stored block
  });
});

describe("IDX", () => {
  it("reads a file written by hand", () => {
    const file = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40);
    expect(readIdx("i", file)).toEqual(tensor("uint8", [2, 1, 2], Uint8Array.of(10, 20, 30, 40)));
    const shorts = Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 0x01, 0x02, 0xff, 0xfe);
    expect(readIdx("s", shorts)).toEqual(tensor("int16", [2], Int16Array.of(258, -2)));
  });

  it.each(["uint8", "int8", "int16", "int32", "float32", "float64"] as const)(
    "%s survives writing and reading",
    (dtype) => {
      const array = fromFloat64(Float64Array.of(1, 2, 3, 100), dtype, [2, 2]);
      expect(readIdx("i", writeIdx(array))).toEqual(array);
    },
  );

  it("refuses lengths that lie and types that are not known", () => {
    expect(codeOf(() => readIdx("i", Uint8Array.of(0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff, 1)))).toBe("bad-file");
    expect(codeOf(() => readIdx("i", Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 1, 2)))).toBe("bad-file");
    expect(codeOf(() => readIdx("i", Uint8Array.of(0, 0, 7, 1, 0, 0, 0, 1, 1)))).toBe("bad-file");
    expect(codeOf(() => writeIdx(tensor("int64", [1], BigInt64Array.of(1n))))).toBe("bad-file");
  });
});

describe("CIFAR", () => {
  const pixels = noise(2 * 3072, 4);

  it("splits CIFAR-10 records into planes and labels", () => {
    const file = writeCifar10(pixels, [3, 9]);
    expect(file.length).toBe(2 * 3073);
    expect([file[0], file[3073]]).toEqual([3, 9]);
    expect(readCifar("c.bin", file)).toEqual({ pixels, labels: Int32Array.of(3, 9), classCount: 10 });
  });

  it("reads the fine and the coarse label of CIFAR-100", () => {
    const file = concat(Uint8Array.of(4, 77), pixels.subarray(0, 3072), Uint8Array.of(19, 0), pixels.subarray(3072));
    const records = { pixels, labels: Int32Array.of(77, 0), coarse: Int32Array.of(4, 19), classCount: 100 };
    expect(readCifar("c.bin", file)).toEqual(records);
  });

  it("refuses partial records, unknown labels and lengths that fit both forms", () => {
    expect(codeOf(() => readCifar("c.bin", new Uint8Array(3072)))).toBe("bad-file");
    expect(codeOf(() => readCifar("c.bin", new Uint8Array(0)))).toBe("bad-file");
    expect(codeOf(() => readCifar("c.bin", writeCifar10(pixels, [3, 10])))).toBe("bad-data");
    const both = new Uint8Array(3073 * 3074);
    expect(codeOf(() => readCifar("c.bin", both))).toBe("bad-file");
    expect(readCifar("c.bin", both, 10).labels.length).toBe(3074);
  });
});

describe("tar", () => {
  const files = { "folder/a.bin": noise(700, 1), "b.bin": noise(512, 2), empty: new Uint8Array(0) };

  it("lists regular files", () => {
    expect(readTar("a.tar", tar(files))).toEqual(Object.entries(files).map(([name, data]) => ({ name, data })));
  });

  it("refuses damaged headers, sizes beyond the archive and truncation", () => {
    const changed = tar(files);
    changed[3]! ^= 1;
    expect(codeOf(() => readTar("a.tar", changed))).toBe("bad-file");
    expect(() => readTar("a.tar", tar(files).subarray(0, 1024))).toThrow("folder/a.bin reaches beyond the archive");
    expect(codeOf(() => readTar("a.tar", tar(files).subarray(0, 512 + 1024)))).toBe("bad-file");
  });
});

it("knows the formats by their first bytes, one each", () => {
  const firsts = {
    gzip: gzip(noise(20, 1)),
    zip: writeZip({ a: noise(3, 1) }),
    npy: base64(reference.npy.int64.file),
    idx: writeIdx(tensor("uint8", [1], noise(1, 1))),
  };
  const found = Object.values(firsts).map((bytes) => [isGzip, isZip, isNpy, isIdx].map((is) => is(bytes)));
  expect(found).toEqual([0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((k) => k === i)));
});
