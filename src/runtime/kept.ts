import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHasher } from "../core/index.ts";

let root: string | undefined;
/**
 * Names the folder of what Temper keeps between runs; undefined, as it is at first: nothing is kept. To be called before
 * anything is compiled: the engine's thread is told when it starts. The command line names the user's cache.
 */
export const keepIn = (folder: string | undefined): void => void (root = folder);
export const keptRoot = (): string | undefined => root;

/** Written to another name first: whole or not at all. @returns whether that was possible */
const write = (name: string, data: string | Uint8Array): boolean => {
  if (root === undefined) return false;
  const path = join(root, name),
    temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, data);
    renameSync(temporary, path);
    return true;
  } catch {
    rmSync(temporary, { force: true });
    return false;
  }
};
const read = (name: string): Uint8Array | undefined => {
  try {
    return root === undefined ? undefined : readFileSync(join(root, name));
  } catch {
    return undefined;
  }
};

/** What was kept under a name. @returns undefined where there is nothing, or nothing that `accepts` takes */
export const readKept = <T>(name: string, accepts: (value: unknown) => value is T): T | undefined => {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(read(name)));
    return accepts(value) ? value : undefined;
  } catch {
    return undefined;
  }
};
/** Keeps a value under a name. @returns whether that was possible */
export const keep = (name: string, value: unknown): boolean => write(name, `${JSON.stringify(value)}\n`);

/** Lowered graphs, as sessions are made from them. */
const MODELS = "lowered";
/** Of all of them; the ones that were not used for longest go first. */
const MAX_BYTES = 256e6;
const DIGEST = 32;

const digestOf = (bytes: Uint8Array): Uint8Array => new TextEncoder().encode(createHasher().bytes(bytes).digest());

/** Bytes that were kept under a key, or made now and kept. Damaged ones are made again. */
export const keptBytes = (key: string, make: () => Uint8Array): Uint8Array => {
  const name = join(MODELS, createHasher().text(key).digest());
  const found = read(name),
    bytes = found?.slice(DIGEST);
  if (found && bytes && digestOf(bytes).every((digit, i) => digit === found[i])) {
    touch(name);
    return bytes;
  }
  const made = make();
  if (write(name, joined(digestOf(made), made))) shrink();
  return made;
};
const joined = (head: Uint8Array, tail: Uint8Array): Uint8Array => {
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
};
const touch = (name: string): void => {
  try {
    utimesSync(join(root!, name), new Date(), new Date());
  } catch {
    // read by another user, or removed meanwhile: only its age is wrong
  }
};

interface KeptFile {
  readonly path: string;
  readonly bytes: number;
  readonly used: number;
}
/** Lowered graphs on disk, the last used one first. */
export const keptModels = (): readonly KeptFile[] => {
  const folder = join(root ?? "", MODELS);
  if (root === undefined) return [];
  try {
    return readdirSync(folder)
      .map((name) => ({ path: join(folder, name), stats: statSync(join(folder, name)) }))
      .map(({ path, stats }) => ({ path, bytes: stats.size, used: stats.mtimeMs }))
      .sort((a, b) => b.used - a.used);
  } catch {
    return [];
  }
};
const shrink = (): void => {
  let total = 0;
  for (const { path, bytes } of keptModels()) if ((total += bytes) > MAX_BYTES) rmSync(path, { force: true });
};
