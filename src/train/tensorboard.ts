import { appendFile, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { crc32c, TemperError } from "../core/index.ts";

/** Numbers of one step, as TensorBoard draws them. */
export interface EventPoint {
  readonly step: number;
  /** Seconds since 1970. */
  readonly wallTime: number;
  /** By tag; slashes group them (`accuracy/robust`). What is null was not measured. */
  readonly scalars: Readonly<Record<string, number | null>>;
}

/** TensorBoard takes any file whose name holds `tfevents`. */
export const EVENT_FILE = "events.out.tfevents.0.temper";

/**
 * The event file of a run's folder, made where there is none. One that is there is cut after the last whole record of a
 * step up to `step`: what a killed run wrote after the state from which it goes on is written again, not twice.
 *
 * @returns appends points, each a record; they reach the file in one piece
 * @throws TemperError `bad-file` where the file cannot be read or written
 * Source: TensorFlow's record_writer.cc and event.proto (fields wall_time 1, step 2, file_version 3, summary 5)
 */
export const openEvents = async (
  folder: string,
  step = 0,
): Promise<(points: readonly EventPoint[]) => Promise<void>> => {
  const path = join(folder, EVENT_FILE);
  const guarded = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: Error) => {
      throw new TemperError("bad-file", `${path} cannot be written: ${error.message}.`, { cause: error });
    });
  const there = await readFile(path).catch(() => new Uint8Array()),
    end = endOf(there, step);
  if (end < there.length) await guarded(truncate(path, end));
  if (end === 0)
    await guarded(appendFile(path, record([...double(1, Date.now() / 1000), ...text(3, "brain.Event:2")])));
  return (points) => guarded(appendFile(path, Buffer.concat(points.map(pointRecord))));
};

const pointRecord = ({ step, wallTime, scalars }: EventPoint): Uint8Array => {
  const values = Object.entries(scalars).flatMap(([tag, value]) =>
    value === null ? [] : bytes(1, [...text(1, tag), ...float(2, value)]),
  );
  return record([...double(1, wallTime), ...key(2, 0), ...varint(step), ...bytes(5, values)]);
};

// Protocol buffers, as far as an event needs them.

const varint = (value: number): number[] => {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return [...out, value];
};
const key = (field: number, wire: number): number[] => varint(8 * field + wire);
const bytes = (field: number, content: readonly number[]): number[] => [
  ...key(field, 2),
  ...varint(content.length),
  ...content,
];
const text = (field: number, value: string): number[] => bytes(field, [...new TextEncoder().encode(value)]);
const fixed = (size: 4 | 8, write: (view: DataView) => void): number[] => {
  const view = new DataView(new ArrayBuffer(size));
  write(view);
  return [...new Uint8Array(view.buffer)];
};
const double = (field: number, value: number): number[] => [
  ...key(field, 1),
  ...fixed(8, (view) => view.setFloat64(0, value, true)),
];
const float = (field: number, value: number): number[] => [
  ...key(field, 5),
  ...fixed(4, (view) => view.setFloat32(0, value, true)),
];

// Records: length in 8 bytes, its checksum, the content, its checksum.

const HEAD = 12,
  TAIL = 4;

/** A checksum of what holds checksums itself: turned and shifted, so that it does not come out the same. */
const masked = (content: Uint8Array): number => {
  const crc = crc32c(content);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

const record = (content: readonly number[]): Uint8Array => {
  const out = new Uint8Array(HEAD + content.length + TAIL),
    view = new DataView(out.buffer);
  view.setUint32(0, content.length, true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(content, HEAD);
  view.setUint32(HEAD + content.length, masked(out.subarray(HEAD, HEAD + content.length)), true);
  return out;
};

/** Where the last whole record of a step up to `step` ends. */
const endOf = (file: Uint8Array, step: number): number => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 0;
  while (at + HEAD + TAIL <= file.length) {
    const size = view.getUint32(at, true),
      from = at + HEAD,
      next = from + size + TAIL;
    const whole =
      next <= file.length &&
      view.getUint32(at + 8, true) === masked(file.subarray(at, at + 8)) &&
      view.getUint32(from + size, true) === masked(file.subarray(from, from + size));
    if (!whole || stepOf(file, from) > step) return at;
    at = next;
  }
  return at;
};

/** The step of an event of ours: its second field, after the time in 9 bytes; the first record has none. */
const stepOf = (file: Uint8Array, from: number): number => {
  let at = from + 9;
  if (file[at++] !== 8 * 2) return 0;
  let step = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = file[at++]!;
    step += (byte & 127) * scale;
    if (byte < 128) return step;
  }
};
