import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { formatShape, sameShape, type Tensor, TemperError } from "../core/index.ts";
import type { EpochRecord, TrainConfig } from "./config.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

/** Where a run stands, beside its tensors. */
export interface RunState {
  /** Steps done. Order, attack and schedule follow from it and the configuration. */
  readonly step: number;
  readonly history: readonly EpochRecord[];
  /** Sums of the steps' reports over the epoch under way. */
  readonly sums: Readonly<Record<string, number>>;
  /** What the controller of the inner attack remembers. */
  readonly control: Readonly<Record<string, number>>;
  /** The best epoch so far, whose weights lie in `best.safetensors`. */
  readonly best: { readonly epoch: number; readonly robustAccuracy: number } | null;
  /** Why the run ended before its last epoch; empty where it did not. */
  readonly ended: string;
  readonly gradientEvaluations: number;
  readonly seconds: number;
}

/** What `run.json` holds. */
export interface Manifest extends RunState {
  readonly schema: "temper.run/1";
  readonly config: TrainConfig;
  /** Which of the two state files is the newer. */
  readonly tensors: string;
}

const MANIFEST = "run.json";
const STATES = ["state-a.safetensors", "state-b.safetensors"] as const;

/** Whether the folder holds a run. */
export const hasRun = (folder: string): boolean => existsSync(join(folder, MANIFEST));

/**
 * Writes to the disk under a temporary name, then renames: a kill or a power cut in between leaves the old file whole.
 * @throws TemperError `bad-file`
 */
export const replaceFile = async (path: string, content: string | Uint8Array): Promise<void> => {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.tmp`, content, { flush: true });
    await rename(`${path}.tmp`, path);
  } catch (error) {
    throw new TemperError("bad-file", `${path} cannot be written: ${(error as Error).message}.`, { cause: error });
  }
};

const BEST = "best.safetensors";

/** Keeps weights as those of the best epoch. */
export const saveBest = (folder: string, tensors: Readonly<Record<string, Tensor>>, epoch: number): Promise<void> =>
  replaceFile(join(folder, BEST), encodeSafetensors({ tensors, metadata: { epoch: String(epoch) } }));

/** The weights of the best epoch. @throws TemperError `bad-file` */
export const loadBest = async (folder: string): Promise<Readonly<Record<string, Tensor>>> => {
  const path = join(folder, BEST);
  const bytes = await readFile(path).catch((error: Error) => {
    throw new TemperError("bad-file", `${path} cannot be read: ${error.message}.`, { cause: error });
  });
  return decodeSafetensors(path, bytes).tensors;
};

/** Two state files take turns, and the manifest names the newer: it is switched last. */
export const saveRun = async (
  folder: string,
  config: TrainConfig,
  state: RunState,
  tensors: Readonly<Record<string, Tensor>>,
): Promise<void> => {
  const previous = hasRun(folder) ? (await readManifest(folder)).tensors : STATES[1];
  const file = previous === STATES[0] ? STATES[1] : STATES[0];
  const manifest: Manifest = { schema: "temper.run/1", config, tensors: file, ...state };
  await replaceFile(join(folder, file), encodeSafetensors({ tensors, metadata: { step: String(state.step) } }));
  await replaceFile(join(folder, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await replaceFile(
    join(folder, "history.jsonl"),
    state.history.map((record) => `${JSON.stringify(record)}\n`).join(""),
  );
};

/**
 * The stored state of a run.
 *
 * @param shapes  the tensors that the configuration needs; the state must have these and no others
 * @throws TemperError `not-found`, `bad-file`: the file, and what is wrong with it
 */
export const loadRun = async (
  folder: string,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<{ readonly state: RunState; readonly tensors: Record<string, Tensor> }> => {
  const { config: _, schema: __, tensors: file, ...state } = await readManifest(folder);
  const path = join(folder, file);
  const bytes = await readFile(path).catch((error: Error) => {
    throw new TemperError("bad-file", `${path} cannot be read: ${error.message}.`, { cause: error });
  });
  const { tensors, metadata } = decodeSafetensors(path, bytes);
  if (metadata["step"] !== String(state.step))
    throw new TemperError(
      "bad-file",
      `${path} holds step ${metadata["step"]}, ${MANIFEST} says ${state.step}. Were two runs in this folder at once?`,
    );
  checkTensors(path, tensors, shapes);
  return { state, tensors: Object.fromEntries(Object.keys(shapes).map((name) => [name, tensors[name]!])) };
};

const checkTensors = (
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  shapes: Readonly<Record<string, readonly number[]>>,
): void => {
  for (const [name, shape] of Object.entries(shapes)) {
    const found = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (found?.dtype === "float32" && sameShape(found.shape, shape)) continue;
    const what = found ? `is ${found.dtype}${formatShape(found.shape)}` : "is missing";
    throw new TemperError("bad-file", `${path}: "${name}" ${what}, wanted float32${formatShape(shape)}.`);
  }
  const extra = Object.keys(tensors).find((name) => !Object.hasOwn(shapes, name));
  if (extra !== undefined) throw new TemperError("bad-file", `${path}: this run has no tensor "${extra}".`);
};

/** @throws TemperError `not-found`, `bad-file` */
export const readManifest = async (folder: string): Promise<Manifest> => {
  const path = join(folder, MANIFEST);
  if (!hasRun(folder)) throw new TemperError("not-found", `${folder} holds no run (no ${MANIFEST}).`);
  let manifest: unknown;
  try {
    manifest = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new TemperError("bad-file", `${path} is not valid JSON: ${(error as Error).message}.`, { cause: error });
  }
  if (isManifest(manifest)) return manifest;
  throw new TemperError("bad-file", `${path} is not the state of a run of this version (schema temper.run/1).`);
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isManifest = (value: unknown): value is Manifest => {
  if (!isRecord(value) || value["schema"] !== "temper.run/1") return false;
  const { config, tensors, step, history, sums, control, best, ended, gradientEvaluations, seconds } = value;
  return (
    isRecord(config) &&
    isRecord(config["options"]) &&
    STATES.some((name) => name === tensors) &&
    Array.isArray(history) &&
    history.every(isRecord) &&
    isRecord(sums) &&
    isRecord(control) &&
    (best === null || isRecord(best)) &&
    typeof ended === "string" &&
    [step, gradientEvaluations].every((v) => Number.isSafeInteger(v) && (v as number) >= 0) &&
    [seconds, ...Object.values(sums), ...Object.values(control)].every(Number.isFinite)
  );
};

/** Settings that a resumed run may change: they do not touch its result. */
const FREE: readonly string[] = ["checkpoint"];

/** The configuration of a stored run must be the one asked for. @throws TemperError `bad-option`, naming the difference */
export const checkSameConfig = (folder: string, stored: TrainConfig, wanted: TrainConfig): void => {
  const flat = ({ options, ...rest }: TrainConfig): Record<string, unknown> => ({ ...rest, ...options });
  const a = flat(stored),
    b = flat(wanted);
  const names = new Set([...Object.keys(b), ...Object.keys(a)]);
  const differs = [...names].find(
    (key) => !FREE.includes(key) && JSON.stringify(canonical(a[key])) !== JSON.stringify(canonical(b[key])),
  );
  if (differs !== undefined)
    throw new TemperError(
      "bad-option",
      `${folder} was started with ${differs} = ${JSON.stringify(a[differs])}, not ${JSON.stringify(b[differs])}. Resume it as it was, or choose another --out.`,
    );
};

/** Records with their keys in order. */
const canonical = (value: unknown): unknown =>
  isRecord(value)
    ? Object.entries(value)
        .map(([key, v]) => [key, canonical(v)])
        .sort(([p], [q]) => (String(p) < String(q) ? -1 : 1))
    : value;
