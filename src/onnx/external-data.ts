import { TemperError } from "../core/index.ts";
import { quote } from "./quote.ts";
import { type Storage, tensorLabel } from "./storage.ts";
import type { TensorProto } from "./types.ts";

/** A stretch of another file. */
export interface ExternalRange {
  /** Path relative to the model's folder, with `/` between its parts. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
  /** Who asks, for messages. */
  readonly label: string;
}

/** The files around a model. */
export interface ExternalData {
  /** Bytes of a stretch, `length` of them. @throws TemperError where the file does not have them */
  readonly read: (range: ExternalRange) => Uint8Array;
}

/** Whether the values of a tensor are in another file. */
export const isExternal = (proto: TensorProto): boolean => proto.dataLocation === 1;

/** Data files in memory (a browser's downloads), by location. Nothing is copied. */
export const externalFromMemory = (files: Readonly<Record<string, Uint8Array>>): ExternalData => ({
  read: ({ location, offset, length, label }) => {
    const file = Object.hasOwn(files, location) ? files[location] : undefined;
    if (file === undefined)
      throw new TemperError("not-found", `${label}: no external file ${quote(location)} is given. Add its bytes.`);
    checkRange({ location, offset, length, label }, file.length);
    return file.subarray(offset, offset + length);
  },
});

/** @throws TemperError `bad-file`: the stretch is not inside a file of `size` bytes */
export const checkRange = ({ location, offset, length, label }: ExternalRange, size: number): void => {
  if (offset + length > size)
    throw new TemperError(
      "bad-file",
      `${label}: bytes ${offset} to ${offset + length} of ${quote(location)}, which has only ${size}.`,
    );
};

/**
 * Where the values of an external tensor lie.
 *
 * @param rawBytes  how many bytes its dims and type need
 * @throws TemperError `bad-file`: no location or one that leaves the folder, no number, or a length that does not fit
 */
export const externalRange = (proto: TensorProto, rawBytes: number, place?: string): ExternalRange => {
  const label = tensorLabel(proto, place);
  const entries = new Map((proto.externalData ?? []).map(({ key = "", value = "" }) => [key, value]));
  const location = checkLocation(entries.get("location"), label);
  const offset = readCount(entries.get("offset") ?? "0", "offset", label);
  const length = readCount(entries.get("length") ?? String(rawBytes), "length", label);
  if (length !== rawBytes)
    throw new TemperError("bad-file", `${label} needs ${rawBytes} bytes, its external data has length ${length}.`);
  return { location, offset, length, label };
};

const checkLocation = (location: string | undefined, label: string): string => {
  if (location === undefined || location === "")
    throw new TemperError("bad-file", `${label} is in another file, but no location says in which.`);
  const parts = location.split("/");
  // a backslash or a colon could be a path on Windows
  if (/[\\:\0]/.test(location) || parts.includes("..") || parts[0] === "" || parts.at(-1) === "")
    throw new TemperError(
      "bad-file",
      `${label}: external location ${quote(location)} is not a plain path inside the model's folder.`,
    );
  return location;
};

const readCount = (digits: string, key: string, label: string): number => {
  const count = /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(count))
    throw new TemperError("bad-file", `${label}: external ${key} ${quote(digits)} is not a count of bytes.`);
  return count;
};

/** The bytes of an external tensor. @throws TemperError `unsupported` without `external`; else as its parts do */
export const readExternal = (proto: TensorProto, storage: Storage, external: ExternalData | undefined): Uint8Array => {
  const range = externalRange(proto, storage.rawBytes, storage.label);
  if (external === undefined)
    throw new TemperError(
      "unsupported",
      `${storage.label} has its values in the file ${quote(range.location)}. Read the model from disk, or give external data.`,
    );
  return external.read(range);
};
