import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import {
  concatChunks,
  encodeModel,
  type ModelProto,
  modelTensors,
  readModelFile,
  tensorFromProto,
  validateModel,
  writeModelFile,
} from "temper/onnx";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sampleModels } from "../../scripts/mutate/sample-models.mjs";
import { runModel } from "./ort.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "temper-onnx-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

const { model } = sampleModels().convolution;
const valuesOf = async (path: string): Promise<unknown[]> => {
  const file = await readModelFile(path);
  validateModel(file.model);
  return modelTensors(file.model).map(({ tensor }) => tensorFromProto(tensor, { external: file.external }));
};

/** The model with the entries of its first external tensor changed. */
const lie = async (path: string, entries: Readonly<Record<string, string>>): Promise<void> => {
  const file = await readModelFile(path);
  const [first, ...rest] = file.model.graph!.initializer!;
  const externalData = first!.externalData!.map(({ key, value }) => ({ key: key!, value: entries[key!] ?? value! }));
  const graph = { ...file.model.graph, initializer: [{ ...first, externalData }, ...rest] };
  writeFileSync(path, concatChunks(encodeModel({ ...file.model, graph })));
};

describe("writeModelFile and readModelFile", () => {
  it("one file: bytes as encodeModel gives them, nothing else left in the folder", async () => {
    await writeModelFile(at("m.onnx"), model);
    expect(Buffer.compare(readFileSync(at("m.onnx")), concatChunks(encodeModel(model)))).toBe(0);
    expect(readdirSync(folder)).toEqual(["m.onnx"]);
  });

  it("external data: same values and, in ONNX Runtime, the same bits; pages aligned, small tensors inside", async () => {
    await writeModelFile(at("plain.onnx"), model);
    await writeModelFile(at("m.onnx"), model, { externalAbove: 16 });
    expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx.data", "plain.onnx"]);
    const { model: read } = await readModelFile(at("m.onnx"));
    const places = read.graph!.initializer!.map((t) => t.externalData?.map(({ value }) => value).join(" "));
    expect(places).toEqual(["m.onnx.data 0 144", undefined, "m.onnx.data 4096 432"]);
    expect(await valuesOf(at("m.onnx"))).toEqual(await valuesOf(at("plain.onnx")));
    expect(await runModel(at("m.onnx"))).toEqual(await runModel(concatChunks(encodeModel(model))));
  });

  it("written again with external, the data comes along; without, the call is refused", async () => {
    await writeModelFile(at("m.onnx"), model, { externalAbove: 0 });
    const { model: read, external } = await readModelFile(at("m.onnx"));
    await expect(writeModelFile(at("n.onnx"), read)).rejects.toMatchObject({ code: "unsupported" });
    expect(existsSync(at("n.onnx"))).toBe(false);
    mkdirSync(at("other"));
    await writeModelFile(at("other/inside.onnx"), read, { external });
    await writeModelFile(at("other/outside.onnx"), read, { external, externalAbove: 16 });
    await writeModelFile(at("m.onnx"), read, { external, externalAbove: 16 }); // over the files it reads from
    const expected = await runModel(concatChunks(encodeModel(model)));
    for (const name of ["other/inside.onnx", "other/outside.onnx", "m.onnx"])
      expect(await runModel(at(name)), name).toEqual(expected);
    const inside = (await readModelFile(at("other/inside.onnx"))).model;
    expect(inside.graph!.initializer).toEqual(model.graph!.initializer);
  });

  it("data is read when it is asked for, not before", async () => {
    await writeModelFile(at("m.onnx"), model, { externalAbove: 16 });
    const { model: read, external } = await readModelFile(at("m.onnx"));
    rmSync(at("m.onnx.data"));
    const [w] = read.graph!.initializer!;
    expect(() => tensorFromProto(w!, { external })).toThrow(expect.objectContaining({ code: "not-found" }));
    writeFileSync(at("m.onnx.data"), new Uint8Array(10));
    expect(() => tensorFromProto(w!, { external })).toThrow('bytes 0 to 144 of "m.onnx.data", which has only 10');
  });

  it("an interrupted write leaves the old file and no temporary one", async () => {
    await writeModelFile(at("m.onnx"), model);
    const before = readFileSync(at("m.onnx"));
    await expect(writeModelFile(at("m.onnx"), { irVersion: 0.5 } as ModelProto)).rejects.toMatchObject({
      code: "bad-data",
    });
    mkdirSync(at("folder.onnx"));
    await expect(writeModelFile(at("folder.onnx"), model)).rejects.toMatchObject({ code: "bad-file" });
    await expect(writeModelFile(at("nowhere/m.onnx"), model)).rejects.toMatchObject({ code: "not-found" });
    expect(readdirSync(folder).sort()).toEqual(["folder.onnx", "m.onnx"]);
    expect(readFileSync(at("m.onnx"))).toEqual(before);
  });
});

it("a tensor that contradicts itself is not written into a data file", async () => {
  const [first, ...rest] = model.graph!.initializer!;
  const graph = { ...model.graph, initializer: [{ ...first, floatData: new Uint8Array(4) }, ...rest] };
  await expect(writeModelFile(at("m.onnx"), { ...model, graph }, { externalAbove: 16 })).rejects.toMatchObject({
    code: "bad-file",
    message: 'tensor "w" has values in rawData and floatData.',
  });
  expect(readdirSync(folder)).toEqual([]);
});

it("only external.ts uses Node, and only when it is called: the rest runs in a browser", () => {
  const source = fileURLToPath(new URL("../../src/onnx/", import.meta.url));
  const files = readdirSync(source).filter((name) => name.endsWith(".ts"));
  const uses = (pattern: RegExp): string[] => files.filter((name) => pattern.test(readFileSync(source + name, "utf8")));
  expect(uses(/from "node:|\bBuffer\.|\bprocess\./)).toEqual([]);
  expect(uses(/import\("node:/)).toEqual(["external.ts"]);
});

describe("gzip", () => {
  it("is read whatever the name, and written where the name ends in .gz", async () => {
    await writeModelFile(at("m.onnx.gz"), model);
    expect([...readFileSync(at("m.onnx.gz")).subarray(0, 2)]).toEqual([0x1f, 0x8b]);
    writeFileSync(at("named-badly.onnx"), readFileSync(at("m.onnx.gz")));
    await writeModelFile(at("m.onnx"), model);
    expect((await readModelFile(at("m.onnx.gz"))).model).toEqual((await readModelFile(at("m.onnx"))).model);
    expect((await readModelFile(at("named-badly.onnx"))).model).toEqual((await readModelFile(at("m.onnx"))).model);
  });

  it("a file that unpacks to far more than it should is stopped", async () => {
    writeFileSync(at("bomb.onnx.gz"), gzipSync(new Uint8Array(2 ** 24)));
    await expect(readModelFile(at("bomb.onnx.gz"), { maxUnpackedBytes: 2 ** 20 })).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringContaining("unpacks to more than maxUnpackedBytes, 1048576") as string,
    });
  });

  it("damaged data is refused", async () => {
    const packed = gzipSync(concatChunks(encodeModel(model)));
    writeFileSync(at("cut.gz"), packed.subarray(0, packed.length - 9));
    await expect(readModelFile(at("cut.gz"))).rejects.toMatchObject({ code: "bad-file" });
  });
});

describe("files that lie", () => {
  beforeEach(async () => {
    mkdirSync(at("inner"));
    writeFileSync(at("secret"), new Uint8Array(144));
    await writeModelFile(at("inner/m.onnx"), model, { externalAbove: 16 });
  });
  const path = (): string => at("inner/m.onnx");

  it.each([
    [{ location: "../secret" }, "bad-file", /tensor "w": external location "\.\.\/secret" is not a plain path/],
    [{ location: "/etc/hostname" }, "bad-file", /is not a plain path/],
    [{ location: "." }, "bad-file", /leaves the model's folder/],
    [{ location: "missing.bin" }, "not-found", /tensor "w": external file "missing\.bin" does not exist/],
    [{ offset: "8000" }, "bad-file", /tensor "w": bytes 8000 to 8144 of "m\.onnx\.data", which has only 4528/],
    [{ length: "143" }, "bad-file", /tensor "w" needs 144 bytes, its external data has length 143/],
    [{ length: "999999999999999" }, "bad-file", /needs 144 bytes/],
  ])("%j", async (entries, code, message) => {
    await lie(path(), entries);
    await expect(readModelFile(path())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it("links that leave the folder are refused, links inside it are not", async () => {
    symlinkSync(at("secret"), at("inner/link"));
    symlinkSync(folder, at("inner/up"));
    symlinkSync("m.onnx.data", at("inner/fine"));
    for (const location of ["link", "up/secret"]) {
      await lie(path(), { location });
      await expect(readModelFile(path())).rejects.toMatchObject({
        code: "bad-file",
        message: `tensor "w": external file "${location}" is a link that leaves the model's folder.`,
      });
      await writeModelFile(path(), model, { externalAbove: 16 });
    }
    await lie(path(), { location: "fine" });
    expect(await valuesOf(path())).toHaveLength(3);
  });

  it("a link that is put there after the model was read is refused too", async () => {
    const file = await readModelFile(path());
    rmSync(at("inner/m.onnx.data"));
    symlinkSync(at("secret"), at("inner/m.onnx.data"));
    expect(() => tensorFromProto(file.model.graph!.initializer![0]!, file)).toThrow("leaves the model's folder");
  });

  it("a folder, a missing file, an empty file", async () => {
    await expect(readModelFile(at("inner"))).rejects.toMatchObject({ code: "bad-file" });
    await expect(readModelFile(at("nothing.onnx"))).rejects.toMatchObject({ code: "not-found" });
    writeFileSync(at("empty.onnx"), "");
    expect(() => validateModel({})).toThrow("Is it an ONNX file?");
    expect((await readModelFile(at("empty.onnx"))).model).toEqual({});
  });
});
