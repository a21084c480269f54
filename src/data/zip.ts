import { zipSync } from "fflate";
import { crc32, TemperError } from "../core/index.ts";
import { inflateExactly } from "./inflate.ts";
import { DEFAULT_MAX_BYTES, badFile, checkSize } from "./limits.ts";

interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly headerAt: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;

/** Whether the bytes begin like a zip archive (an empty one included). */
export const isZip = (bytes: Uint8Array): boolean =>
  bytes.length > 3 &&
  bytes[0] === 0x50 &&
  bytes[1] === 0x4b &&
  ((bytes[2] === 3 && bytes[3] === 4) || (bytes[2] === 5 && bytes[3] === 6));

/** Position of the end-of-directory record: the last one whose comment reaches exactly to the end of the file. */
const findEnd = (archive: string, view: DataView): number => {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 0xffff); at--)
    if (view.getUint32(at, true) === END_SIGNATURE && at + 22 + view.getUint16(at + 20, true) === view.byteLength)
      return at;
  throw badFile(archive, "the zip archive has no directory at its end: it is cut off or not a zip file.");
};

const readEntry = (archive: string, bytes: Uint8Array, view: DataView, at: number, end: number): ZipEntry => {
  if (at + 46 > end || view.getUint32(at, true) !== ENTRY_SIGNATURE)
    throw badFile(archive, "the zip directory is damaged.");
  const nameBytes = view.getUint16(at + 28, true);
  if (at + 46 + nameBytes > end) throw badFile(archive, "the zip directory is damaged.");
  const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes));
  const entry = {
    name,
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    packedBytes: view.getUint32(at + 20, true),
    bytes: view.getUint32(at + 24, true),
    headerAt: view.getUint32(at + 42, true),
  };
  if ((view.getUint16(at + 8, true) & 1) !== 0)
    throw new TemperError("unsupported", `${archive}: ${name} is encrypted. Store it without a password.`);
  if ([entry.packedBytes, entry.bytes, entry.headerAt].includes(0xffffffff))
    throw new TemperError("unsupported", `${archive}: ${name} uses zip64 sizes (4 GiB or more). Split the file.`);
  return entry;
};

const readDirectory = (archive: string, bytes: Uint8Array, view: DataView): ZipEntry[] => {
  const end = findEnd(archive, view);
  const count = view.getUint16(end + 10, true);
  const directoryBytes = view.getUint32(end + 12, true);
  let at = view.getUint32(end + 16, true);
  if (at + directoryBytes > end) throw badFile(archive, "the zip directory lies outside the file.");
  const entries: ZipEntry[] = [];
  for (let i = 0; i < count; i++) {
    entries.push(readEntry(archive, bytes, view, at, end));
    at += 46 + view.getUint16(at + 28, true) + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
};

const unpack = (archive: string, bytes: Uint8Array, view: DataView, entry: ZipEntry): Uint8Array => {
  const label = `${archive}: ${entry.name}`;
  const { headerAt, packedBytes } = entry;
  if (headerAt + 30 > bytes.length || view.getUint32(headerAt, true) !== LOCAL_SIGNATURE)
    throw badFile(label, "its zip header is damaged.");
  const start = headerAt + 30 + view.getUint16(headerAt + 26, true) + view.getUint16(headerAt + 28, true);
  if (start + packedBytes > bytes.length) throw badFile(label, "reaches beyond the archive.");
  const packed = bytes.subarray(start, start + packedBytes);
  if (entry.method !== STORED && entry.method !== DEFLATED)
    throw new TemperError("unsupported", `${label} uses zip compression method ${entry.method}. Use deflate or none.`);
  if (entry.method === STORED && packedBytes !== entry.bytes) throw badFile(label, "its zip sizes contradict.");
  const data = entry.method === STORED ? packed : inflateExactly(label, "raw", packed, entry.bytes);
  if (crc32(data) !== entry.crc) throw badFile(label, "its checksum does not match: the archive is damaged.");
  return data;
};

/**
 * Unpacks a zip archive. The sizes that the directory declares are added up before anything is unpacked, and every
 * checksum is verified.
 *
 * @param wanted  which names to unpack; all by default. Folders are never listed.
 * @returns name -> contents, in archive order
 * @throws TemperError `bad-file`: damaged, or more than `maxBytes` when unpacked; `unsupported`: encryption, zip64 or
 *   another compression
 */
export const readZip = (
  archive: string,
  bytes: Uint8Array,
  { maxBytes = DEFAULT_MAX_BYTES, wanted = () => true }: { maxBytes?: number; wanted?: (name: string) => boolean } = {},
): Map<string, Uint8Array> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = readDirectory(archive, bytes, view).filter(({ name }) => !name.endsWith("/") && wanted(name));
  checkSize(
    archive,
    entries.reduce((sum, entry) => sum + entry.bytes, 0),
    maxBytes,
  );
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    if (files.has(entry.name)) throw badFile(archive, `holds ${entry.name} twice.`);
    files.set(entry.name, unpack(archive, bytes, view, entry));
  }
  return files;
};

/** The names of the files in a zip archive, without unpacking any. @throws TemperError as {@link readZip} */
export const listZip = (archive: string, bytes: Uint8Array): string[] =>
  readDirectory(archive, bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    .map(({ name }) => name)
    .filter((name) => !name.endsWith("/"));

/** Packs files into a zip archive with a fixed date: equal input gives equal bytes. */
export const writeZip = (files: Readonly<Record<string, Uint8Array>>): Uint8Array =>
  zipSync({ ...files }, { level: 6, mtime: new Date(1980, 0, 1) });
