import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, crc32c } from "temper/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EVENT_FILE, openEvents } from "../../dist/train/tensorboard.js";

/** CRC-32C bit by bit, from the definition. */
const slowCrc = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
};
const mask = (crc: number): bigint => (((BigInt(crc) >> 15n) | (BigInt(crc) << 17n)) + 0xa282ead8n) & 0xffffffffn;

interface Decoded {
  time?: number;
  step?: bigint;
  version?: string;
  values?: Record<string, number>;
}

/** Fields of a protocol-buffer message, one after the other. */
const fields = (view: DataView): { field: number; value: bigint | number | DataView }[] => {
  const out: { field: number; value: bigint | number | DataView }[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < view.byteLength) {
    const tag = Number(varint()),
      field = tag >> 3;
    if ((tag & 7) === 0) out.push({ field, value: varint() });
    else if ((tag & 7) === 1) out.push({ field, value: view.getFloat64((at += 8) - 8, true) });
    else if ((tag & 7) === 5) out.push({ field, value: view.getFloat32((at += 4) - 4, true) });
    else {
      const size = Number(varint());
      out.push({ field, value: new DataView(view.buffer, view.byteOffset + at, size) });
      at += size;
    }
  }
  return out;
};
const textOf = (view: DataView): string =>
  new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));

const decodeEvent = (view: DataView): Decoded => {
  const event: Decoded = {};
  for (const { field, value } of fields(view)) {
    if (field === 1) event.time = value as number;
    else if (field === 2) event.step = value as bigint;
    else if (field === 3) event.version = textOf(value as DataView);
    else if (field === 5)
      event.values = Object.fromEntries(
        fields(value as DataView).map(({ field: one, value: summary }) => {
          expect(one).toBe(1);
          const [tag, number] = fields(summary as DataView);
          expect([tag!.field, number!.field]).toEqual([1, 2]);
          return [textOf(tag!.value as DataView), number!.value as number];
        }),
      );
    else throw new Error(`field ${field}`);
  }
  return event;
};

/** Every event of a file; fails where a length or a checksum is wrong. */
const decode = (file: Buffer): Decoded[] => {
  const bytes = new Uint8Array(file),
    view = new DataView(bytes.buffer);
  const events: Decoded[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = Number(view.getBigUint64(at, true));
    expect(BigInt(view.getUint32(at + 8, true))).toBe(mask(slowCrc(bytes.subarray(at, at + 8))));
    const content = bytes.subarray(at + 12, at + 12 + size);
    expect(content.length).toBe(size);
    expect(BigInt(view.getUint32(at + 12 + size, true))).toBe(mask(slowCrc(content)));
    events.push(decodeEvent(new DataView(bytes.buffer, at + 12, size)));
    at += 16 + size;
  }
  return events;
};

describe("checksums", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const digits = new TextEncoder().encode("123456789");

  it("are those of RFC 3720, B.4, and of the catalogues", () => {
    expect(crc32c(digits)).toBe(0xe3069283);
    expect(crc32(digits)).toBe(0xcbf43926);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(ascending)).toBe(0x46dd794e);
    expect(crc32c(ascending.toReversed())).toBe(0x113fdb5c);
    expect(crc32c(ascending.subarray(7), crc32c(ascending.subarray(0, 7)))).toBe(0x46dd794e);
    expect(slowCrc(ascending)).toBe(0x46dd794e);
  });
});

describe("event files", () => {
  let folder: string, path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "temper-events-"));
    path = join(folder, EVENT_FILE);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const point = (step: number, loss = 1 / step) => ({ step, wallTime: 1.5e9 + step, scalars: { loss } });
  const steps = (): number[] =>
    decode(readFileSync(path))
      .slice(1)
      .map(({ step }) => Number(step));

  it("begin as TensorFlow's do, and hold every point", async () => {
    const append = await openEvents(folder);
    const scalars = { loss: 0.1, "accuracy/robust": 0.5, "accuracy/clean": null, größe: NaN };
    await append([{ step: 1, wallTime: 1.5e9 + 0.25, scalars }, point(300)]);
    await append([point(2 ** 40 + 5)]);
    const file = readFileSync(path);
    // The length of the first record and its checksum, as in every file that TensorFlow writes.
    expect([...file.subarray(0, 13)]).toEqual([24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22, 9]);
    const [first, ...rest] = decode(file);
    expect(first!.version).toBe("brain.Event:2");
    expect(Math.abs(first!.time! - Date.now() / 1000)).toBeLessThan(60);
    expect(rest).toEqual([
      { time: 1.5e9 + 0.25, step: 1n, values: { loss: Math.fround(0.1), "accuracy/robust": 0.5, größe: NaN } },
      { time: 1.5e9 + 300, step: 300n, values: { loss: Math.fround(1 / 300) } },
      { time: 1.5e9 + 2 ** 40 + 5, step: BigInt(2 ** 40 + 5), values: { loss: Math.fround(1 / (2 ** 40 + 5)) } },
    ]);
  });

  it("go on where a resumed run does: nothing twice, nothing lost", async () => {
    await (
      await openEvents(folder)
    )([1, 2, 200, 300, 400].map((step) => point(step)));
    const append = await openEvents(folder, 200); // the last saved state
    expect(steps()).toEqual([1, 2, 200]);
    await append([point(300, 7)]);
    expect(steps()).toEqual([1, 2, 200, 300]);
    expect(decode(readFileSync(path)).at(-1)!.values).toEqual({ loss: 7 });
    await openEvents(folder, 300);
    expect(steps()).toEqual([1, 2, 200, 300]);
    await openEvents(folder);
    expect(steps()).toEqual([]);
  });

  it("are cut where a kill left a part of a record, or where bytes are damaged", async () => {
    await (
      await openEvents(folder)
    )([1, 2, 3].map((step) => point(step)));
    const whole = readFileSync(path);
    for (let less = 1; less < 30; less++) {
      writeFileSync(path, whole);
      truncateSync(path, whole.length - less);
      await openEvents(folder, 10);
      expect(steps()).toEqual([1, 2]);
    }
    writeFileSync(path, whole);
    appendFileSync(path, Buffer.alloc(40));
    await openEvents(folder, 10);
    expect(steps()).toEqual([1, 2, 3]);
    const damaged = Buffer.from(whole);
    damaged[60]! ^= 1;
    writeFileSync(path, damaged);
    await (
      await openEvents(folder, 10)
    )([point(9)]);
    expect(steps()).toEqual([9]);
  });

  it("say where they cannot be written", async () => {
    await expect(openEvents(join(folder, "none"))).rejects.toThrow(
      expect.objectContaining({ code: "bad-file", message: expect.stringContaining("cannot be written") }),
    );
  });
});
