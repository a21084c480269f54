import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Tensor, TemperError } from "../core/index.ts";
import type { EpochRecord, TrainConfig } from "./config.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

/** Where a run stands, beside its tensors. */
export interface RunState {
  /** Steps done. Order, attack and schedule follow from it and the configuration. */
  readonly step: number;
  readonly history: readonly EpochRecord[];
  /** Sums over the epoch under way. */
  readonly epochLoss: number;
  readonly epochRight: number;
  readonly gradientEvaluations: number;
  readonly seconds: number;
}
interface Manifest extends RunState {
  readonly schema: "temper.run/1";
  readonly config: TrainConfig;
  readonly tensors: string;
}

const MANIFEST = "run.json";

/** Whether the folder holds a run. */
export const hasRun = (folder: string): boolean => existsSync(join(folder, MANIFEST));

/** Writes under a temporary name and renames: a kill in between leaves the last state whole. */
const replace = async (path: string, content: string | Uint8Array): Promise<void> => {
  await writeFile(`${path}.tmp`, content);
  await rename(`${path}.tmp`, path);
};

/** Two tensor files take turns, and the manifest names the newer: it is switched last. */
export const saveRun = async (
  folder: string,
  config: TrainConfig,
  state: RunState,
  tensors: Readonly<Record<string, Tensor>>,
): Promise<void> => {
  await mkdir(folder, { recursive: true });
  const previous = hasRun(folder) ? (await readManifest(folder)).tensors : "";
  const file = previous === "state-a.safetensors" ? "state-b.safetensors" : "state-a.safetensors";
  await replace(join(folder, file), encodeSafetensors(tensors));
  const manifest: Manifest = { schema: "temper.run/1", config, tensors: file, ...state };
  await replace(join(folder, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
  await replace(join(folder, "history.jsonl"), state.history.map((record) => `${JSON.stringify(record)}\n`).join(""));
};

/** @throws TemperError `not-found`, `bad-file` */
export const loadRun = async (
  folder: string,
): Promise<{ config: TrainConfig; state: RunState; tensors: Record<string, Tensor> }> => {
  const { config, tensors: file, schema: _, ...state } = await readManifest(folder);
  const path = join(folder, file);
  const bytes = await readFile(path).catch((error: Error) => {
    throw new TemperError("bad-file", `${path} cannot be read: ${error.message}.`, { cause: error });
  });
  return { config, state, tensors: decodeSafetensors(path, bytes) };
};

const readManifest = async (folder: string): Promise<Manifest> => {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) throw new TemperError("not-found", `${folder} holds no run (no ${MANIFEST}).`);
  try {
    const manifest = JSON.parse(await readFile(path, "utf8")) as Manifest;
    if (
      manifest.schema === "temper.run/1" &&
      typeof manifest.tensors === "string" &&
      Number.isSafeInteger(manifest.step)
    )
      return manifest;
  } catch (error) {
    throw new TemperError("bad-file", `${path} is not valid JSON: ${(error as Error).message}.`, { cause: error });
  }
  throw new TemperError("bad-file", `${path} is not a run of this version (schema temper.run/1).`);
};

/** The configuration of a stored run must be the one asked for. @throws TemperError `bad-option`, naming the difference */
export const checkSameConfig = (folder: string, stored: TrainConfig, wanted: TrainConfig): void => {
  const flat = (config: TrainConfig): Record<string, unknown> => ({ ...config, ...config.options });
  const a = flat(stored),
    b = flat(wanted);
  const differs = Object.keys(b).find((key) => key !== "options" && JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  if (differs)
    throw new TemperError(
      "bad-option",
      `${folder} was started with ${differs} = ${JSON.stringify(a[differs])}, not ${JSON.stringify(b[differs])}. Resume it as it was, or choose another --out.`,
    );
};
