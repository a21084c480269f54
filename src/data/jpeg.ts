import jpeg from "jpeg-js";
import { isTemperError } from "../core/index.ts";
import type { Image } from "./image.ts";
import { badFile, reason } from "./limits.ts";

/** The decoder takes about 45 bytes a pixel in colour: under half a gigabyte for this many. */
const MAX_MEGAPIXELS = 10;
/** What the decoder itself may account for; its true use is about double. Unusual sampling would need more. */
const MAX_DECODER_MIB = 256;
/** Every block of 8x8 pixels costs at least one bit, so that a file states at most this many pixels a byte. */
const MAX_PIXELS_PER_BYTE = 512;
/** Files in use have about ten scans; thousands over one large frame would be work without end. */
const MAX_SCANS = 64;

/** Whether the bytes begin like a JPEG file. */
export const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: number;
}

const readFrame = (name: string, marker: number, view: DataView, at: number, length: number): Frame => {
  if (marker > 0xc2) throw badFile(name, "is a lossless, hierarchical or arithmetic-coded JPEG. Save it as baseline.");
  if (length < 8 || view.getUint8(at) !== 8) throw badFile(name, "its JPEG frame does not have 8 bits a sample.");
  const frame = { height: view.getUint16(at + 1), width: view.getUint16(at + 3), components: view.getUint8(at + 5) };
  if (frame.width === 0 || frame.height === 0) throw badFile(name, "states an image without pixels.");
  if (![1, 3, 4].includes(frame.components) || length < 8 + 3 * frame.components)
    throw badFile(name, `its JPEG frame states ${frame.components} components in ${length} bytes.`);
  for (let c = 0; c < frame.components; c++) {
    const factors = view.getUint8(at + 7 + 3 * c);
    if (factors >> 4 < 1 || factors >> 4 > 4 || (factors & 15) < 1 || (factors & 15) > 4)
      throw badFile(name, "its JPEG frame states impossible sampling factors.");
  }
  return frame;
};

/** First byte at or after `at` that begins a marker other than a restart (0xFF00 is a stuffed data byte). */
const nextMarker = (bytes: Uint8Array, at: number): number => {
  for (let i = at; i + 1 < bytes.length; i++) {
    const code = bytes[i + 1]!;
    if (bytes[i] === 0xff && code !== 0 && code !== 0xff && (code < 0xd0 || code > 0xd7)) return i;
  }
  return bytes.length;
};

const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** Walks the markers to the end of the image and checks what the decoder would believe. */
const checkMarkers = (name: string, bytes: Uint8Array): Frame => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let frame: Frame | undefined,
    scans = 0;
  for (let at = nextMarker(bytes, 2); ;) {
    if (at + 1 >= bytes.length) throw badFile(name, "the JPEG file has no end mark: it is cut off.");
    const marker = bytes[at + 1]!;
    if (marker === 0xd9) break;
    const length = at + 4 <= bytes.length ? view.getUint16(at + 2) : 0;
    if (length < 2 || at + 2 + length > bytes.length) throw badFile(name, "a JPEG segment reaches beyond the file.");
    if (isFrame(marker)) {
      if (frame) throw badFile(name, "has more than one JPEG frame.");
      frame = readFrame(name, marker, view, at + 4, length);
    }
    if (marker === 0xda && (!frame || ++scans > MAX_SCANS)) throw badFile(name, "its JPEG scans are out of order.");
    at = nextMarker(bytes, at + 2 + length);
  }
  if (!frame || scans === 0) throw badFile(name, "the JPEG file holds no picture.");
  return frame;
};

/**
 * Decodes a baseline or progressive JPEG file to grey or to red, green and blue (from the usual YCbCr; CMYK is
 * converted).
 *
 * @throws TemperError `bad-file`: damaged, contradictory, of another JPEG kind, or larger than the limits
 */
export const decodeJpeg = (name: string, bytes: Uint8Array): Image => {
  if (!isJpeg(bytes)) throw badFile(name, "is not a JPEG file.");
  const { width, height, components } = checkMarkers(name, bytes);
  if (width * height > MAX_MEGAPIXELS * 1e6 || width * height > bytes.length * MAX_PIXELS_PER_BYTE)
    throw badFile(
      name,
      `states ${width}x${height} pixels, too many for ${bytes.length} bytes or the limit of ${MAX_MEGAPIXELS} megapixels.`,
    );
  try {
    const limits = { maxResolutionInMP: MAX_MEGAPIXELS, maxMemoryUsageInMB: MAX_DECODER_MIB };
    const decoded = jpeg.decode(bytes, { ...limits, useTArray: true, formatAsRGBA: false });
    if (decoded.width !== width || decoded.height !== height) throw badFile(name, "its JPEG headers contradict.");
    const grey = components === 1; // the decoder repeats a grey value three times
    const data = grey ? decoded.data.filter((_, i) => i % 3 === 0) : decoded.data;
    return { width, height, channels: grey ? 1 : 3, data, maximum: 255, droppedAlpha: false };
  } catch (error) {
    throw isTemperError(error) ? error : badFile(name, `the JPEG picture cannot be decoded (${reason(error)}).`, error);
  }
};
