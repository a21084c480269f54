import { TemperError } from "../core/index.ts";

/** Most bytes that one data file may hold once it is unpacked, unless the caller allows more. */
export const DEFAULT_MAX_BYTES = 512 * 1024 * 1024;

/** Most that DEFLATE can grow its input (a length-258 match in two bits, rounded up), for plausibility checks. */
export const MAX_INFLATE_RATIO = 1032;

/** `1.5 MiB`, for messages. */
export const formatBytes = (bytes: number): string => {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes,
    unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]!}`;
};

/** A malformed file: who, and what is wrong with it. */
export const badFile = (name: string, problem: string, cause?: unknown): TemperError =>
  new TemperError("bad-file", `${name}: ${problem}`, cause === undefined ? undefined : { cause });

/** @throws TemperError `bad-file` where `bytes` of `name` are more than allowed */
export const checkSize = (name: string, bytes: number, maxBytes: number): void => {
  if (bytes > maxBytes)
    throw badFile(
      name,
      `holds ${formatBytes(bytes)}, more than the limit of ${formatBytes(maxBytes)}. Raise maxBytes.`,
    );
};

/** The text of any thrown thing. */
export const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
