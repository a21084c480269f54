import { createHasher } from "../core/index.ts";
import { version } from "../version.ts";
import { host, physicalCores } from "./cores.ts";
import { onnxruntimeVersion } from "./ort.ts";

// Asked for when there is a folder: a page has none, and may import this file.
const fs = (): typeof import("node:fs") => process.getBuiltinModule("node:fs");
const path = (): typeof import("node:path") => process.getBuiltinModule("node:path");

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
  const file = path().join(root, name),
    temporary = `${file}.${process.pid}`;
  try {
    fs().mkdirSync(path().dirname(file), { recursive: true });
    fs().writeFileSync(temporary, data);
    fs().renameSync(temporary, file);
    return true;
  } catch {
    if (fs().existsSync(temporary)) fs().rmSync(temporary, { force: true });
    return false;
  }
};
const read = (name: string): Uint8Array | undefined => {
  try {
    return root === undefined ? undefined : fs().readFileSync(path().join(root, name));
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

/** The name of what was found out about this machine and what makes its kernels; `more`: what else it depends on. */
export const nameHere = (kind: string, ...more: readonly (string | number)[]): string => {
  const { cpu, platform } = host(),
    machine = [cpu, physicalCores(), platform, onnxruntimeVersion(), version, ...more];
  return `${kind}-${createHasher().text(JSON.stringify(machine)).digest()}.json`;
};

/** Lowered graphs, as sessions are made from them. */
const MODELS = "lowered";
/** Of all of them; the ones that were not used for longest go first. */
const MAX_BYTES = 256e6;
const DIGEST = 32;

const digestOf = (bytes: Uint8Array): Uint8Array => new TextEncoder().encode(createHasher().bytes(bytes).digest());

/** Bytes that were kept under a key, or made now and kept. Damaged ones are made again. */
export const keptBytes = (key: string, make: () => Uint8Array): Uint8Array => {
  const name = `${MODELS}/${createHasher().text(key).digest()}`;
  const found = read(name),
    bytes = found?.subarray(DIGEST);
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
    fs().utimesSync(path().join(root!, name), new Date(), new Date());
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
  if (root === undefined) return [];
  const folder = path().join(root, MODELS);
  try {
    return fs()
      .readdirSync(folder)
      .map((name) => path().join(folder, name))
      .map((file) => ({ path: file, stats: fs().statSync(file) }))
      .map(({ path: file, stats }) => ({ path: file, bytes: stats.size, used: stats.mtimeMs }))
      .sort((a, b) => b.used - a.used);
  } catch {
    return [];
  }
};
const shrink = (): void => {
  let total = 0;
  for (const kept of keptModels()) if ((total += kept.bytes) > MAX_BYTES) fs().rmSync(kept.path, { force: true });
};
