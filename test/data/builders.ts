// Files made by hand for the tests, with Node's own zlib as an independent oracle of the project's checksums.
import { deflateSync } from "node:zlib";

/** CRC-32 bit by bit, as ISO 3309 writes it down. */
export const slowCrc32 = (bytes: Uint8Array): number => {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
};

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

export const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);

export const pngChunk = (type: string, body: Uint8Array): Uint8Array => {
  const typed = concat(new TextEncoder().encode(type), body);
  return concat(u32(body.length), typed, u32(slowCrc32(typed)));
};

export interface PngFacts {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly interlace?: number;
}

/** A PNG file around picture data as given (rows with their filter bytes, not yet compressed) and further chunks. */
export const png = (facts: PngFacts, raw: Uint8Array, before: readonly Uint8Array[] = []): Uint8Array => {
  const { width, height, depth, colour, interlace = 0 } = facts;
  const header = concat(u32(width), u32(height), Uint8Array.of(depth, colour, 0, 0, interlace));
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const data = pngChunk("IDAT", deflateSync(raw));
  return concat(signature, pngChunk("IHDR", header), ...before, data, pngChunk("IEND", new Uint8Array(0)));
};

/** A ustar archive of regular files. */
export const tar = (files: Readonly<Record<string, Uint8Array>>): Uint8Array => {
  const blocks = Object.entries(files).flatMap(([name, data]) => {
    const header = new Uint8Array(512);
    const put = (at: number, text: string): void => header.set(new TextEncoder().encode(text), at);
    put(0, name);
    put(100, "0000644\0");
    put(124, `${data.length.toString(8).padStart(11, "0")}\0`);
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
    return [header, data, new Uint8Array((512 - (data.length % 512)) % 512)];
  });
  return concat(...blocks, new Uint8Array(1024));
};

/** Repeatable bytes without a visible pattern. */
export const noise = (length: number, seed: number): Uint8Array<ArrayBuffer> => {
  let state = (seed * 2654435761) >>> 0 || 1;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 255;
  });
};
