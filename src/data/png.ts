import { decode, encode } from "fast-png";
import { crc32, TemperError, isTemperError } from "../core/index.ts";
import { type Image, MAX_PIXELS } from "./image.ts";
import { inflateExactly } from "./inflate.ts";
import { badFile, formatBytes, reason } from "./limits.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Whether the bytes begin like a PNG file. */
export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, i) => bytes[i] === byte);

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly interlaced: boolean;
}

interface Chunks {
  readonly header: Header;
  readonly palette: Uint8Array | undefined;
  readonly transparent: boolean;
  /** All IDAT chunks joined: one zlib stream. */
  readonly data: Uint8Array;
}

/** Samples per pixel and allowed bit depths of each colour type (PNG specification, table 11.1). */
const COLOURS: Readonly<Record<number, { samples: number; depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] }, // grey
  2: { samples: 3, depths: [8, 16] }, // red, green, blue
  3: { samples: 1, depths: [1, 2, 4, 8] }, // palette
  4: { samples: 2, depths: [8, 16] }, // grey, alpha
  6: { samples: 4, depths: [8, 16] }, // red, green, blue, alpha
};

const readHeader = (name: string, body: Uint8Array): Header => {
  if (body.length !== 13) throw badFile(name, "its PNG header has a wrong length.");
  const view = new DataView(body.buffer, body.byteOffset, 13);
  const width = view.getUint32(0),
    height = view.getUint32(4);
  const [depth, colour, compression, filter, interlace] = body.subarray(8) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  if (
    width === 0 ||
    height === 0 ||
    !COLOURS[colour]?.depths.includes(depth) ||
    compression + filter !== 0 ||
    interlace > 1
  )
    throw badFile(name, "its PNG header states impossible values.");
  if (width * height > MAX_PIXELS)
    throw badFile(name, `states ${width}x${height} pixels, more than the limit of ${MAX_PIXELS}.`);
  return { width, height, depth, colour, interlaced: interlace === 1 };
};

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

/** Walks the chunks up to IEND, checks each length and CRC-32, and keeps those that make the picture. */
const readChunks = (name: string, bytes: Uint8Array): Chunks => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<string, Uint8Array[]>();
  for (let at = SIGNATURE.length; !found.has("IEND");) {
    if (at + 12 > bytes.length) throw badFile(name, "the PNG file is cut off.");
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) throw badFile(name, "a PNG chunk reaches beyond the file.");
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length))
      throw badFile(name, "the checksum of a PNG chunk does not match: the file is damaged.");
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    found.set(type, [...(found.get(type) ?? []), bytes.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  const [header, ...more] = found.get("IHDR") ?? [];
  if (!header || more.length > 0) throw badFile(name, "must have exactly one PNG header.");
  const data = concat(found.get("IDAT") ?? []);
  return { header: readHeader(name, header), palette: found.get("PLTE")?.[0], transparent: found.has("tRNS"), data };
};

/** Origin and step of the seven passes of an interlaced file (PNG specification, 8.2). */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Most unpacked picture data: 16 megapixels in colour. Decoding takes about five times as much memory. */
const MAX_UNPACKED_BYTES = 48 * 1024 * 1024;

/** Bytes of the unpacked picture data: each row has one byte more, for its filter. */
const unpackedBytes = ({ width, height, depth, colour, interlaced }: Header): number => {
  const bits = depth * COLOURS[colour]!.samples;
  const passBytes = (w: number, h: number): number => (w > 0 && h > 0 ? h * (1 + Math.ceil((w * bits) / 8)) : 0);
  if (!interlaced) return passBytes(width, height);
  return ADAM7.reduce(
    (sum, [x, y, stepX, stepY]) => sum + passBytes(Math.ceil((width - x) / stepX), Math.ceil((height - y) / stepY)),
    0,
  );
};

const chunk = (type: string, body: Uint8Array): Uint8Array => {
  const out = new Uint8Array(12 + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
};

/** One byte a sample, where rows hold 1, 2 or 4 bits a sample and begin on a byte; values are left unscaled. */
const unpackBits = (packed: Uint8Array, { width, height, depth }: Header): Uint8Array => {
  const out = new Uint8Array(width * height);
  const rowBytes = Math.ceil((width * depth) / 8);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      out[y * width + x] = (packed[y * rowBytes + (bit >> 3)]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    }
  return out;
};

const fromPalette = (name: string, indices: Uint8Array, palette: Uint8Array | undefined): Uint8Array => {
  if (!palette) throw badFile(name, "has colour indices but no palette.");
  const out = new Uint8Array(indices.length * 3);
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i]! * 3;
    if (at + 3 > palette.length) throw badFile(name, "uses a colour beyond its palette.");
    out.set(palette.subarray(at, at + 3), i * 3);
  }
  return out;
};

/** The first `keep` of every `samples` values. */
const dropSamples = <T extends Uint8Array | Uint16Array>(data: T, samples: number, keep: number): T => {
  const pixels = data.length / samples;
  const out = data.slice(0, pixels * keep) as T;
  for (let i = 0; i < pixels; i++) for (let k = 0; k < keep; k++) out[i * keep + k] = data[i * samples + k]!;
  return out;
};

/** Gives fast-png only chunks that were checked: no profile or text that could unpack without bound. */
const decodeChecked = (name: string, { header, data }: Chunks, headerBody: Uint8Array): Uint8Array | Uint16Array => {
  const size = unpackedBytes(header);
  if (size > MAX_UNPACKED_BYTES)
    throw badFile(
      name,
      `states ${formatBytes(size)} of picture data, more than the limit of ${formatBytes(MAX_UNPACKED_BYTES)}.`,
    );
  inflateExactly(name, "zlib", data, size);
  const file = [SIGNATURE, chunk("IHDR", headerBody), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  const pixels = decode(concat(file)).data;
  return pixels instanceof Uint8ClampedArray ? new Uint8Array(pixels) : pixels;
};

const toImage = (name: string, chunks: Chunks, pixels: Uint8Array | Uint16Array): Image => {
  const { width, height, depth, colour } = chunks.header;
  const base = {
    width,
    height,
    droppedAlpha: chunks.transparent || colour >= 4,
    maximum: depth === 16 ? 65535 : 255,
  } as const;
  const samples = depth < 8 ? unpackBits(pixels as Uint8Array, chunks.header) : pixels;
  if (colour === 3) return { ...base, channels: 3, data: fromPalette(name, samples as Uint8Array, chunks.palette) };
  if (colour === 0)
    return { ...base, channels: 1, data: depth < 8 ? samples.map((v) => (v * 255) / ((1 << depth) - 1)) : samples };
  if (colour === 2) return { ...base, channels: 3, data: samples };
  return colour === 4
    ? { ...base, channels: 1, data: dropSamples(samples, 2, 1) }
    : { ...base, channels: 3, data: dropSamples(samples, 4, 3) };
};

/**
 * Decodes a PNG file: grey, colour, palette; 1 to 16 bits; interlaced too. Alpha and transparency are dropped, gamma
 * and colour profiles are not applied.
 *
 * @throws TemperError `bad-file`: damaged, contradictory or larger than `MAX_PIXELS`; `unsupported`: an interlaced
 *   file with fewer than 8 bits a sample
 */
export const decodePng = (name: string, bytes: Uint8Array): Image => {
  if (!isPng(bytes)) throw badFile(name, "is not a PNG file.");
  const chunks = readChunks(name, bytes);
  if (chunks.header.interlaced && chunks.header.depth < 8)
    throw new TemperError(
      "unsupported",
      `${name}: interlaced PNG with ${chunks.header.depth} bits a sample. Save it without interlacing.`,
    );
  try {
    return toImage(name, chunks, decodeChecked(name, chunks, bytes.subarray(16, 29)));
  } catch (error) {
    throw isTemperError(error) ? error : badFile(name, `the PNG picture data is damaged (${reason(error)}).`, error);
  }
};

/** Encodes an image as PNG, 8 or 16 bits. */
export const encodePng = ({ width, height, channels, data, maximum }: Omit<Image, "droppedAlpha">): Uint8Array =>
  encode({ width, height, channels, data, depth: maximum === 255 ? 8 : 16 });
