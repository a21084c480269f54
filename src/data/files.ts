import { TemperError } from "../core/index.ts";
import { declaredGzipBytes, isGzip } from "./inflate.ts";
import { MAX_INFLATE_RATIO, badFile, checkSize, reason } from "./limits.ts";

// Files need Node. Its modules are loaded at first use, so that a browser can load this folder for its parsers.
const fs = (): Promise<typeof import("node:fs/promises")> => import("node:fs/promises");

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

const fileError = (path: string, error: unknown): TemperError => {
  if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR")
    return new TemperError("not-found", `${path} does not exist.`, { cause: error });
  return badFile(path, `cannot be read (${reason(error)}).`, error);
};

/** What a path leads to. @throws TemperError `bad-file`: it cannot be looked at (permissions) */
export const kindOf = async (path: string): Promise<"file" | "folder" | "absent"> => {
  try {
    const found = await (await fs()).stat(path);
    if (found.isDirectory()) return "folder";
    if (found.isFile()) return "file";
  } catch (error) {
    const wrapped = fileError(path, error);
    if (wrapped.code === "not-found") return "absent";
    throw wrapped;
  }
  throw badFile(path, "is neither a file nor a folder.");
};

/** Names in a folder, in code unit order; hidden ones (`.x`) are left out. @throws TemperError as {@link readDataFile} */
export const listFolder = async (path: string): Promise<{ files: string[]; folders: string[] }> => {
  try {
    const entries = (await (await fs()).readdir(path, { withFileTypes: true })).filter(
      ({ name }) => !name.startsWith("."),
    );
    const folders: string[] = [],
      files: string[] = [];
    for (const entry of entries) {
      const isFolder = entry.isSymbolicLink()
        ? (await kindOf(`${path}/${entry.name}`)) === "folder"
        : entry.isDirectory();
      (isFolder ? folders : files).push(entry.name);
    }
    return { files: files.sort(), folders: folders.sort() };
  } catch (error) {
    throw error instanceof TemperError ? error : fileError(path, error);
  }
};

/** As `gunzip` of `inflate.ts`, by Node's zlib: several times faster, and off this thread. */
const gunzipInNode = async (name: string, bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> => {
  const [{ gunzip }, { promisify }] = await Promise.all([import("node:zlib"), import("node:util")]);
  const declared = Math.min(declaredGzipBytes(name, bytes, maxBytes), bytes.length * MAX_INFLATE_RATIO);
  try {
    // one piece of the declared size: several would be joined at the end, in twice the memory
    return await promisify(gunzip)(bytes, { maxOutputLength: maxBytes, chunkSize: Math.max(declared, 65_536) });
  } catch (error) {
    if (codeOf(error) === "ERR_BUFFER_TOO_LARGE") checkSize(name, maxBytes + 1, maxBytes);
    throw badFile(name, `the gzip data is damaged or cut off (${reason(error)}). Get it again.`, error);
  }
};

/**
 * Reads a file and unpacks it where it is gzip.
 *
 * @throws TemperError `not-found`; `bad-file`: unreadable, damaged, or larger than `maxBytes` before or after unpacking
 */
export const readDataFile = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  const { readFile, stat } = await fs();
  let bytes: Uint8Array;
  try {
    checkSize(path, (await stat(path)).size, maxBytes);
    bytes = await readFile(path);
  } catch (error) {
    throw error instanceof TemperError ? error : fileError(path, error);
  }
  return isGzip(bytes) ? gunzipInNode(path, bytes, maxBytes) : bytes;
};

/** Last part of a path. */
export const baseName = (path: string): string => path.split(/[\\/]+/).findLast((part) => part !== "") ?? path;
