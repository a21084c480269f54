import { badFile } from "./limits.ts";

/** One regular file of a tar archive; `data` is a view of the archive. */
export interface TarEntry {
  readonly name: string;
  readonly data: Uint8Array;
}

const BLOCK = 512;

const field = (block: Uint8Array, start: number, length: number): string => {
  const end = block.indexOf(0, start);
  const stop = end < 0 || end > start + length ? start + length : end;
  return String.fromCharCode(...block.subarray(start, stop));
};

const octal = (archive: string, text: string, what: string): number => {
  const digits = text.trim();
  if (!/^[0-7]{1,12}$/.test(digits)) throw badFile(archive, `a tar header has no valid ${what}.`);
  return Number.parseInt(digits, 8);
};

/** The header's own checksum: the sum of its bytes, the checksum field read as blanks. */
const headerSum = (block: Uint8Array): number => {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!;
  return sum;
};

/** Two blocks of zeros; one where the archive ends with it. A lone one within is a wiped header. */
const isEndMark = (bytes: Uint8Array, at: number): boolean =>
  bytes.subarray(at, at + 2 * BLOCK).every((byte) => byte === 0);

/**
 * Lists the regular files of a tar archive (ustar and the older form). Folders, links and the extension records of
 * other dialects are passed over, so names longer than 255 bytes come out shortened.
 *
 * @throws TemperError `bad-file`: a header with a wrong checksum, or a file that reaches beyond the archive
 */
export const readTar = (archive: string, bytes: Uint8Array): TarEntry[] => {
  const entries: TarEntry[] = [];
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const header = bytes.subarray(at, at + BLOCK);
    if (isEndMark(bytes, at)) return entries;
    if (octal(archive, field(header, 148, 8), "checksum") !== headerSum(header))
      throw badFile(archive, `the tar header at byte ${at} is damaged.`);
    const size = octal(archive, field(header, 124, 12), "size");
    const start = at + BLOCK;
    if (start + size > bytes.length) throw badFile(archive, `${field(header, 0, 100)} reaches beyond the archive.`);
    const type = header[156]!;
    const prefix = field(header, 257, 5) === "ustar" ? field(header, 345, 155) : "";
    const name = (prefix ? `${prefix}/` : "") + field(header, 0, 100);
    if (type === 0 || type === 0x30) entries.push({ name, data: bytes.subarray(start, start + size) });
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw badFile(archive, "the tar archive has no end mark: it is cut off.");
};
