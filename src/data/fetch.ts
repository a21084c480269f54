import { TemperError, lookup } from "../core/index.ts";
import { type DownloadOptions, downloadFile, md5OfFile } from "./download.ts";
import { baseName, readDataFile } from "./files.ts";
import { DEFAULT_MAX_BYTES, badFile, reason } from "./limits.ts";
import { type Publication, publications } from "./publications.ts";
import { readTar } from "./tar.ts";

export interface FetchOptions extends DownloadOptions {
  /** Folder that holds one folder a data set. */
  readonly dataRoot: string;
  /** A mirror instead of the publisher's address. */
  readonly baseUrl?: string | undefined;
}

/** What a fetch did. */
export interface FetchResult {
  readonly folder: string;
  /** Files that were downloaded (and unpacked) now. */
  readonly fetched: readonly string[];
  /** Files that were there already, with the right checksum. */
  readonly present: readonly string[];
}

const fs = (): Promise<typeof import("node:fs/promises")> => import("node:fs/promises");

/** Checksums of what was unpacked from an archive, which has none for its members. */
const MANIFEST = "fetched.json";

type Manifest = Readonly<Record<string, string>>;

const readManifest = async (folder: string): Promise<Manifest> => {
  try {
    const parsed: unknown = JSON.parse(await (await fs()).readFile(`${folder}/${MANIFEST}`, "utf8"));
    return typeof parsed === "object" && parsed !== null ? (parsed as Manifest) : {};
  } catch {
    return {}; // absent or damaged: the files count as not fetched
  }
};

const writeWhole = async (path: string, data: Uint8Array | string): Promise<void> => {
  const { rename, writeFile } = await fs();
  await writeFile(`${path}.part`, data);
  await rename(`${path}.part`, path);
};

/** Writes the wanted members of a tar archive beside it and notes their checksums; then removes the archive. */
const unpack = async (archive: string, folder: string, members: readonly string[]): Promise<void> => {
  const entries = new Map(
    readTar(archive, await readDataFile(archive, DEFAULT_MAX_BYTES)).map(({ name, data }) => [baseName(name), data]),
  );
  const manifest: Record<string, string> = {};
  for (const member of members) {
    const data = entries.get(member);
    if (!data) throw badFile(archive, `does not hold ${member}.`);
    await writeWhole(`${folder}/${member}`, data);
    manifest[member] = (await md5OfFile(`${folder}/${member}`)) ?? "";
  }
  await writeWhole(`${folder}/${MANIFEST}`, JSON.stringify(manifest, null, 2));
  await (await fs()).rm(archive);
};

const isUnpacked = async (folder: string, members: readonly string[]): Promise<boolean> => {
  const manifest = await readManifest(folder);
  for (const member of members)
    if (manifest[member] === undefined || (await md5OfFile(`${folder}/${member}`)) !== manifest[member]) return false;
  return true;
};

/**
 * Brings a publication's files into `dataRoot/name`; see {@link fetchDataset}, which knows the publications by name.
 */
export const fetchPublication = async (
  name: string,
  publication: Publication,
  options: FetchOptions,
): Promise<FetchResult> => {
  const folder = `${options.dataRoot}/${name}`;
  try {
    await (await fs()).mkdir(folder, { recursive: true });
  } catch (error) {
    throw new TemperError("bad-file", `${folder} cannot be made (${reason(error)}). Choose another data folder.`, {
      cause: error,
    });
  }
  const { members, files } = publication;
  if (members && (await isUnpacked(folder, members))) return { folder, fetched: [], present: members };
  const fetched: string[] = [],
    present: string[] = [];
  const bases = options.baseUrl === undefined ? publication.addresses : [options.baseUrl];
  for (const file of files) {
    const path = `${folder}/${file.name}`;
    const isThere = (await md5OfFile(path)) === file.md5;
    if (!isThere)
      await downloadFile(
        bases.map((base) => base.replace(/\/?$/, `/${file.name}`)),
        path,
        file,
        options,
      );
    if (members) await unpack(path, folder, members);
    (isThere ? present : fetched).push(...(members ?? [file.name]));
  }
  return { folder, fetched, present };
};

/**
 * Fetches a data set from its publisher into `dataRoot/name`: resumes what an earlier call has left, checks every
 * checksum, and does nothing where the right files are there already. CIFAR-10 is unpacked.
 *
 * @param name  `mnist`, `fashion-mnist` or `cifar10`
 * @throws TemperError `not-found`: another name; `network`, `bad-file`, `interrupted` as {@link downloadFile}
 */
export const fetchDataset = async (name: string, options: FetchOptions): Promise<FetchResult> =>
  fetchPublication(name, lookup<Publication>(publications, name, "data set to fetch"), options);
