import { Gunzip, Inflate, Unzlib, gzipSync } from "fflate";
import { crc32, isTemperError } from "../core/index.ts";
import { DEFAULT_MAX_BYTES, MAX_INFLATE_RATIO, badFile, checkSize, formatBytes, reason } from "./limits.ts";

/** Input is handed over in such pieces, so that a bomb is seen before it has grown by more than 1032 times this. */
const PIECE_BYTES = 16_384;

/** The DEFLATE data of an empty file as all packers write it: a final block of fixed codes with only its end. */
const EMPTY_BLOCK = 0x0003;

/** What the three streams of fflate share. */
interface Unpacker {
  push(bytes: Uint8Array, final: boolean): void;
}

const feed = (stream: Unpacker, bytes: Uint8Array): void => {
  let start = 0;
  do {
    const end = Math.min(bytes.length, start + PIECE_BYTES);
    stream.push(bytes.subarray(start, end), end === bytes.length);
    start = end;
  } while (start < bytes.length);
};

const guarded = <T>(name: string, run: () => T): T => {
  try {
    return run();
  } catch (error) {
    throw isTemperError(error) ? error : badFile(name, `the compressed data is damaged (${reason(error)}).`, error);
  }
};

/**
 * Unpacks a DEFLATE stream (`raw`, as in zip) or one with a zlib frame (as in PNG) of known unpacked size.
 *
 * @param bytes  must hold the whole stream
 * @param size   unpacked size; the caller has checked that it may be allocated
 * @throws TemperError `bad-file`: damaged, or the unpacked size is another one
 */
export const inflateExactly = (name: string, kind: "raw" | "zlib", bytes: Uint8Array, size: number): Uint8Array =>
  guarded(name, () => {
    if (size > (bytes.length + 1) * MAX_INFLATE_RATIO)
      throw badFile(
        name,
        `declares ${formatBytes(size)} but holds only ${formatBytes(bytes.length)} of compressed data.`,
      );
    const out = new Uint8Array(size);
    let filled = 0;
    const take = (chunk: Uint8Array): void => {
      if (filled + chunk.length > size)
        throw badFile(name, `unpacks to more than the ${formatBytes(size)} that it declares.`);
      out.set(chunk, filled);
      filled += chunk.length;
    };
    feed(kind === "raw" ? new Inflate(take) : new Unzlib(take), bytes);
    if (filled !== size) throw badFile(name, `unpacks to ${filled} bytes, not the ${size} that it declares.`);
    return out;
  });

/** Whether the bytes begin like a gzip file (RFC 1952). */
export const isGzip = (bytes: Uint8Array): boolean => bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;

/** A buffer that grows by doubling, never beyond what it is told to expect. */
const createSink = (firstBytes: number): { add(chunk: Uint8Array): void; result(): Uint8Array; size(): number } => {
  let buffer = new Uint8Array(firstBytes),
    filled = 0;
  return {
    add: (chunk) => {
      if (filled + chunk.length > buffer.length) {
        const grown = new Uint8Array(Math.max(filled + chunk.length, buffer.length * 2));
        grown.set(buffer.subarray(0, filled));
        buffer = grown;
      }
      buffer.set(chunk, filled);
      filled += chunk.length;
    },
    result: () => buffer.subarray(0, filled),
    size: () => filled,
  };
};

/**
 * Unpacked size of the last member, as the file's last four bytes state it. It may lie: that is for the unpacker to find.
 *
 * @throws TemperError `bad-file`: no gzip file, or it states more than `maxBytes`
 */
export const declaredGzipBytes = (name: string, bytes: Uint8Array, maxBytes: number): number => {
  if (!isGzip(bytes) || bytes.length < 18) throw badFile(name, "is not a gzip file, or is cut off in its header.");
  const declared = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(bytes.length - 4, true);
  if (declared > maxBytes)
    throw badFile(
      name,
      `ends as if it held ${formatBytes(declared)}: it is cut off, or larger than the limit of ${formatBytes(maxBytes)}.`,
    );
  return declared;
};

/**
 * Unpacks a gzip file of one or more members and checks the CRC-32 and size of each.
 *
 * @param name  for messages
 * @throws TemperError `bad-file`: damaged, truncated, wrong checksum, or larger than `maxBytes`
 */
export const gunzip = (name: string, bytes: Uint8Array, maxBytes = DEFAULT_MAX_BYTES): Uint8Array =>
  guarded(name, () => {
    const declared = declaredGzipBytes(name, bytes, maxBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sink = createSink(Math.min(declared, bytes.length * MAX_INFLATE_RATIO));
    let crc = 0,
      memberStart = 0;
    const closeMember = (end: number): void => {
      const rightSize = view.getUint32(end - 4, true) === (sink.size() - memberStart) >>> 0;
      const rightCrc = view.getUint32(end - 8, true) === crc;
      // a wiped file has a right checksum, that of nothing; fflate does not miss the final block then
      const wiped = sink.size() === memberStart && view.getUint16(end - 10, true) !== EMPTY_BLOCK;
      if (!rightSize || !rightCrc || wiped)
        throw badFile(name, "the checksum of the gzip file does not match: it is damaged or cut off. Get it again.");
      crc = 0;
      memberStart = sink.size();
    };
    const stream = new Gunzip((chunk) => {
      checkSize(name, sink.size() + chunk.length, maxBytes);
      crc = crc32(chunk, crc);
      sink.add(chunk);
    });
    stream.onmember = (offset) => closeMember(offset);
    feed(stream, bytes);
    closeMember(bytes.length);
    return sink.result();
  });

/** Packs as gzip, with no name and no time in the header: equal input gives equal bytes. */
export const gzip = (bytes: Uint8Array): Uint8Array => gzipSync(bytes, { mtime: 0 });
