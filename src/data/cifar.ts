import { TemperError } from "../core/index.ts";
import { badFile } from "./limits.ts";

/** Records of a CIFAR binary file: images [n, 3, 32, 32] as bytes 0 to 255. */
export interface CifarRecords {
  readonly pixels: Uint8Array;
  readonly labels: Int32Array;
  /** Coarse labels of CIFAR-100; undefined for CIFAR-10. */
  readonly coarse?: Int32Array;
  readonly classCount: 10 | 100;
}

/** CIFAR-10's classes in label order. Source: batches.meta.txt of the publisher. */
export const CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split(" ");

const IMAGE_BYTES = 3 * 32 * 32;

/** CIFAR-10 has one label byte before an image, CIFAR-100 two (coarse, fine). */
const labelBytesOf = (name: string, length: number): 1 | 2 => {
  const ten = length % (IMAGE_BYTES + 1) === 0,
    hundred = length % (IMAGE_BYTES + 2) === 0;
  if (length === 0) throw badFile(name, "is empty.");
  if (ten === hundred)
    throw badFile(
      name,
      `has ${length} bytes, which is ${ten ? "a multiple of both record sizes" : "no multiple of a record"}: ` +
        `CIFAR-10 records have ${IMAGE_BYTES + 1} bytes, CIFAR-100 records ${IMAGE_BYTES + 2}. Give classCount or check the file.`,
    );
  return ten ? 1 : 2;
};

/**
 * Reads CIFAR-10 or CIFAR-100 binary records: label byte (two for CIFAR-100: coarse, fine), then 1024 red, 1024 green
 * and 1024 blue bytes, row-major. The length tells which, unless `classCount` says so.
 *
 * @throws TemperError `bad-file`: a length that is no multiple of a record; `bad-data`: a label beyond the classes
 * Source: https://www.cs.toronto.edu/~kriz/cifar.html
 */
export const readCifar = (name: string, bytes: Uint8Array, classCount?: 10 | 100): CifarRecords => {
  const labelBytes = classCount === undefined ? labelBytesOf(name, bytes.length) : classCount === 10 ? 1 : 2;
  const record = IMAGE_BYTES + labelBytes;
  if (bytes.length === 0 || bytes.length % record !== 0)
    throw badFile(name, `has ${bytes.length} bytes, no multiple of a record of ${record} bytes.`);
  const count = bytes.length / record;
  const classes = labelBytes === 1 ? 10 : 100;
  const pixels = new Uint8Array(count * IMAGE_BYTES);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const at = i * record;
    labels[i] = bytes[at + labelBytes - 1]!;
    if (labels[i]! >= classes)
      throw new TemperError(
        "bad-data",
        `${name}: record ${i} has label ${labels[i]!}, classes are 0 to ${classes - 1}.`,
      );
    pixels.set(bytes.subarray(at + labelBytes, at + record), i * IMAGE_BYTES);
  }
  if (labelBytes === 1) return { pixels, labels, classCount: 10 };
  return { pixels, labels, classCount: 100, coarse: Int32Array.from({ length: count }, (_, i) => bytes[i * record]!) };
};

/** Writes CIFAR-10 binary records from images [n, 3, 32, 32] and labels 0 to 9. */
export const writeCifar10 = (pixels: Uint8Array, labels: ArrayLike<number>): Uint8Array => {
  if (pixels.length !== labels.length * IMAGE_BYTES)
    throw new TemperError(
      "bad-shape",
      `${labels.length} CIFAR images need ${labels.length * IMAGE_BYTES} bytes, got ${pixels.length}.`,
    );
  const out = new Uint8Array(labels.length * (IMAGE_BYTES + 1));
  for (let i = 0; i < labels.length; i++) {
    out[i * (IMAGE_BYTES + 1)] = labels[i]!;
    out.set(pixels.subarray(i * IMAGE_BYTES, (i + 1) * IMAGE_BYTES), i * (IMAGE_BYTES + 1) + 1);
  }
  return out;
};
