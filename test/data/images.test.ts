import { deflateSync } from "node:zlib";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { describe, expect, it } from "vitest";
import { type Image, batchOf, datasetFromImages, decodeImage, decodeJpeg, decodePng, encodePng } from "temper/data";
import { base64, concat, noise, png, pngChunk } from "./builders.ts";
import reference from "./reference.json" with { type: "json" };
import { errorOf } from "../errors.ts";

const expected = (values: string): number[] => [...new Uint16Array(base64(values).slice().buffer)];

describe("PNG", () => {
  it.each([
    ["grey", 1, 8],
    ["grey with alpha", 2, 8],
    ["colour", 3, 8],
    ["colour with alpha", 4, 8],
    ["grey", 1, 16],
    ["colour", 3, 16],
    ["colour with alpha", 4, 16],
  ] as const)("%s (%i samples, %i bits) survives, alpha dropped, interlaced or not", (_, channels, depth) => {
    const [width, height] = [13, 9];
    const bytes = noise(width * height * channels * (depth / 8), channels);
    const data = depth === 16 ? new Uint16Array(bytes.buffer) : bytes;
    const kept = channels <= 2 ? 1 : 3;
    const colours = [...data].filter((_, i) => i % channels < kept);
    for (const interlace of ["null", "Adam7"] as const) {
      const image = decodePng("a.png", encode({ width, height, channels, depth, data }, { interlace }));
      const { data: found, ...facts } = image;
      expect([...found], interlace).toEqual(colours);
      const maximum = depth === 8 ? 255 : 65535;
      expect(facts).toEqual({ width, height, channels: kept, maximum, droppedAlpha: channels % 2 === 0 });
    }
  });

  it.each([1, 2, 4] as const)("spreads %i-bit grey over 0 to 255, rows beginning on a byte", (depth) => {
    const width = 5;
    const most = (1 << depth) - 1;
    const samples = [0, 1, most, 1, 0, most, most, 0, 0, 1];
    const rows = [samples.slice(0, width), samples.slice(width)].map((row) => {
      const bits = row
        .map((v) => v.toString(2).padStart(depth, "0"))
        .join("")
        .padEnd(Math.ceil((width * depth) / 8) * 8, "0");
      return Uint8Array.from([0, ...(bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2))]);
    });
    const image = decodePng("a.png", png({ width, height: 2, depth, colour: 0 }, concat(...rows)));
    expect([...image.data]).toEqual(samples.map((v) => Math.floor((v * 255) / most)));
  });

  it.each(Object.entries(reference.images).filter(([name]) => name.endsWith("png") || name.includes("transparency")))(
    "agrees with another decoder: %s",
    (_, { file, shape, values }) => {
      const { height, width, channels, data } = decodePng("a.png", base64(file));
      expect([height, width, channels]).toEqual(shape);
      expect([...data]).toEqual(expected(values));
    },
  );

  const grey = { width: 4, height: 4, depth: 8, colour: 0 };
  const rows = new Uint8Array(20);

  it("ignores text and profiles, however large they would unpack", () => {
    const profile = pngChunk(
      "iCCP",
      concat(new TextEncoder().encode("p\0\0"), deflateSync(new Uint8Array(30_000_000))),
    );
    expect(decodePng("a.png", png(grey, rows, [profile])).data).toEqual(new Uint8Array(16));
  });

  it("refuses dimensions beyond the limit before it unpacks, and data that does not fill them", () => {
    expect(errorOf(() => decodePng("a.png", png({ ...grey, width: 100_000, height: 100_000 }, rows)))).toMatchObject({
      code: "bad-file",
      message: expect.stringContaining("100000x100000"),
    });
    const wide = png({ ...grey, width: 8192, height: 8192, depth: 16 }, rows);
    expect(errorOf(() => decodePng("a.png", wide)).message).toContain("128 MiB of picture data");
    for (const raw of [rows.subarray(1), concat(rows, rows), new Uint8Array(5_000_000)])
      expect(errorOf(() => decodePng("a.png", png(grey, raw))).code).toBe("bad-file");
    expect(errorOf(() => decodePng("a.png", png({ ...grey, width: 8000, height: 8000 }, rows))).code).toBe("bad-file");
  });

  it("refuses unknown filters, missing palettes, colours beyond the palette, low-depth interlacing", () => {
    const wrongFilter = rows.slice().fill(9, 5, 6);
    expect(errorOf(() => decodePng("a.png", png(grey, wrongFilter))).code).toBe("bad-file");
    const indexed = { ...grey, colour: 3 };
    expect(errorOf(() => decodePng("a.png", png(indexed, rows))).code).toBe("bad-file");
    const palette = pngChunk("PLTE", Uint8Array.of(1, 2, 3));
    expect([...decodePng("a.png", png(indexed, rows, [palette])).data.subarray(0, 4)]).toEqual([1, 2, 3, 1]);
    expect(errorOf(() => decodePng("a.png", png(indexed, rows.slice().fill(1, 1, 2), [palette]))).code).toBe(
      "bad-file",
    );
    const interlaced = png({ width: 1, height: 1, depth: 1, colour: 0, interlace: 1 }, new Uint8Array(2));
    expect(errorOf(() => decodePng("a.png", interlaced)).code).toBe("unsupported");
  });

  it("refuses every truncation and every changed byte", () => {
    const file = png(grey, rows);
    for (let length = 0; length < file.length; length++)
      expect(errorOf(() => decodePng("a.png", file.subarray(0, length))).code, `cut to ${length}`).toBe("bad-file");
    for (let at = 0; at < file.length; at++) {
      const changed = file.slice();
      changed[at]! ^= 4;
      expect(errorOf(() => decodePng("a.png", changed)).code, `byte ${at}`).toBe("bad-file");
    }
  });

  it("writes what it reads", () => {
    const image = { width: 3, height: 2, channels: 3, data: noise(18, 9), maximum: 255 } as const;
    expect(decodePng("a.png", encodePng(image))).toEqual({ ...image, droppedAlpha: false });
  });
});

describe("JPEG", () => {
  it("decodes what jpeg-js encoded to within its quantisation", () => {
    const [width, height] = [24, 16];
    const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) => {
      const [p, k] = [i >> 2, i & 3];
      return k === 3 ? 255 : 40 + 5 * (p % width) + k * 30;
    });
    const image = decodeImage("a.jpg", new Uint8Array(jpeg.encode({ width, height, data: rgba }, 95).data));
    expect(image).toMatchObject({ width, height, channels: 3, maximum: 255 });
    const worst = Math.max(...[...image.data].map((v, i) => Math.abs(v - rgba[Math.floor(i / 3) * 4 + (i % 3)]!)));
    expect(worst).toBeLessThanOrEqual(6);
  });

  it.each(Object.entries(reference.images).filter(([name]) => name.includes("jpeg")))(
    "agrees with another decoder: %s",
    (name, { file, shape, values }) => {
      const { height, width, channels, data } = decodeJpeg("a.jpg", base64(file));
      expect([height, width, channels]).toEqual(shape);
      const other = expected(values);
      const differences = [...data].map((v, i) => Math.abs(v - other[i]!));
      const mean = differences.reduce((sum, d) => sum + d, 0) / differences.length;
      // 4:2:0: decoders differ in how they enlarge the colour planes
      expect(mean).toBeLessThan(name.includes("4:2:0") ? 6 : 1);
      if (!name.includes("4:2:0")) expect(Math.max(...differences)).toBeLessThanOrEqual(3);
    },
  );

  const file = base64(reference.images["colour jpeg 4:2:0"].file);
  const frameAt = file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xc0);

  it("refuses every truncation", () => {
    for (let length = 0; length < file.length; length++)
      expect(errorOf(() => decodeImage("a.jpg", file.subarray(0, length))).code, `cut to ${length}`).toBe("bad-file");
  });

  it("refuses a small file that states a large picture, odd sampling, a second frame", () => {
    const large = file.slice();
    large.set([0x40, 0, 0x40, 0], frameAt + 5);
    expect(errorOf(() => decodeJpeg("a.jpg", large)).message).toContain("16384x16384");
    const odd = file.slice();
    odd[frameAt + 11] = 0xff;
    expect(errorOf(() => decodeJpeg("a.jpg", odd)).message).toContain("sampling");
    const frame = file.subarray(frameAt, frameAt + 19);
    const twice = concat(file.subarray(0, frameAt), frame, file.subarray(frameAt));
    expect(errorOf(() => decodeJpeg("a.jpg", twice)).message).toContain("more than one");
    const scanAt = file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xda);
    const scans = concat(
      file.subarray(0, scanAt),
      ...Array<Uint8Array>(100).fill(file.subarray(scanAt, -2)),
      file.subarray(-2),
    );
    expect(errorOf(() => decodeJpeg("a.jpg", scans)).message).toContain("scans");
  });
});

describe("data sets of pictures", () => {
  const facts = { name: "p", split: "test", source: "folder", classes: ["a", "b"] } as const;
  const picture = (values: number[], extra: Partial<Image> = {}): Image => ({
    width: 2,
    height: 1,
    channels: values.length === 2 ? 1 : 3,
    data: Uint8Array.from(values),
    maximum: 255,
    droppedAlpha: false,
    ...extra,
  });

  it("puts channels first and gives grey pictures three planes among coloured ones", () => {
    const items = [
      { name: "1", label: 1, image: picture([0, 51, 102, 153, 204, 255]) },
      { name: "2", label: 0, image: picture([51, 102], { droppedAlpha: true }) },
    ];
    const dataset = datasetFromImages(facts, items);
    expect(dataset.shape).toEqual([3, 1, 2]);
    expect([...dataset.pixels]).toEqual([0, 153, 51, 204, 102, 255, 51, 102, 51, 102, 51, 102]);
    expect([...dataset.labels]).toEqual([1, 0]);
    expect(dataset.notes).toHaveLength(2);
  });

  it("keeps 16 bits as floats in [0, 1]", () => {
    const image = picture([], { channels: 1, data: Uint16Array.of(0, 65535), maximum: 65535 });
    const dataset = datasetFromImages(facts, [{ name: "1", label: 0, image }]);
    expect([...batchOf(dataset, [0]).x]).toEqual([0, 1]);
  });

  it("names the picture that differs", () => {
    const items = [
      { name: "a/1.png", label: 0, image: picture([1, 2]) },
      { name: "a/2.png", label: 0, image: picture([1, 2], { width: 1, height: 2 }) },
    ];
    expect(errorOf(() => datasetFromImages(facts, items))).toMatchObject({
      code: "bad-data",
      message: expect.stringContaining("a/2.png has 1x2"),
    });
    expect(errorOf(() => datasetFromImages(facts, [])).code).toBe("bad-data");
    expect(errorOf(() => datasetFromImages(facts, items.slice(0, 1), 1)).code).toBe("bad-file");
  });
});
