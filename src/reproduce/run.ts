import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createHasher, createRng } from "../core/index.ts";
import { countOf, type Dataset, selectExamples } from "../data/index.ts";
import { attackDataset } from "../evaluate/index.ts";
import { loadClassifier } from "../models/index.ts";
import { train } from "../train/index.ts";
import { coFixtures } from "./fixtures.ts";
import { version } from "../version.ts";
import type { Arm, ArmData, Claim, DataKind, Experiment, Measured, Reproduction, Trained } from "./reproduction.ts";

export interface ReproduceRequest {
  readonly reproduction: Reproduction;
  readonly kind: DataKind;
  readonly train: Dataset;
  readonly test: Dataset;
  readonly seeds: readonly number[];
  /** Folder that keeps what arms have trained, so that experiments share them. */
  readonly folder: string;
  readonly onProgress?: (text: string) => void;
}

export interface ClaimResult extends Omit<Claim, "test"> {
  readonly held: boolean;
  /** One a seed. */
  readonly values: readonly number[];
}

/** An arm as it came out on one seed. */
export interface ArmResult extends Trained {
  readonly name: string;
  readonly seed: number;
  readonly arm: Arm;
}

export interface ReproduceResult {
  readonly slug: string;
  readonly kind: DataKind;
  readonly seeds: readonly number[];
  readonly measured: readonly Measured[];
  readonly claims: readonly ClaimResult[];
  readonly arms: readonly ArmResult[];
  /** Whether every required claim held. */
  readonly held: boolean;
  readonly seconds: number;
}

/** Runs a system's small experiment on some seeds, and compares. @throws TemperError as training and evaluation do */
export const reproduce = async (request: ReproduceRequest): Promise<ReproduceResult> => {
  const { reproduction, kind, seeds } = request,
    began = performance.now(),
    measured: Measured[] = [],
    arms: ArmResult[] = [];
  for (const place of seeds.keys())
    measured.push(await reproduction.small(experimentOn(request, place, (arm) => void arms.push(arm))));
  const claims = reproduction.claims(kind).map(({ test, ...claim }) => ({ ...claim, ...test(measured) }));
  return {
    slug: reproduction.slug,
    kind,
    seeds,
    measured,
    claims,
    arms,
    held: claims.every(({ held, required }) => held || !required),
    seconds: (performance.now() - began) / 1000,
  };
};

const experimentOn = (request: ReproduceRequest, place: number, onArm: (arm: ArmResult) => void): Experiment => {
  const { kind, train: data, test, seeds, onProgress = () => undefined } = request,
    seed = seeds[place]!;
  const progress = (text: string): void => onProgress(`seed ${seed}: ${text}`);
  return {
    seed,
    place,
    kind,
    train: data,
    test,
    co: coFixtures[kind],
    progress,
    arm: async (name, arm, given) => {
      const found = await trainArm(request, seed, name, arm, given);
      onArm({ ...found, name, seed, arm });
      const percents = [found.clean, found.fgsm, found.pgd].map((v) => (100 * v).toFixed(1)).join(" / ");
      progress(`${name}: clean / FGSM / PGD ${percents} %, ${found.seconds.toFixed(0)} s`);
      return found;
    },
  };
};

/** Trains and measures an arm, or reads what was found of the very same one. */
const trainArm = async (
  request: ReproduceRequest,
  seed: number,
  name: string,
  arm: Arm,
  { train: given, validation, pool, from }: ArmData = {},
): Promise<Trained> => {
  const { folder, train: all, test } = request,
    data = given ?? examplesOf(all, arm.examples, seed);
  const key = createHasher()
    .text(JSON.stringify([version, arm, seed, data.hash, validation?.hash, pool?.hash, test.hash]))
    .bytes(from === undefined ? new Uint8Array() : await readFile(from))
    .digest();
  const place = join(folder, `${arm.recipe}-${key}`),
    result = join(place, "result.json");
  if (existsSync(result)) return JSON.parse(await readFile(result, "utf8")) as Trained;
  await rm(place, { recursive: true, force: true }); // of an attempt that did not end
  await mkdir(folder, { recursive: true });
  const { recipe, recipeOptions = {}, model, modelOptions = {}, mean = [], std = [], options, measure } = arm;
  const { history, modelPath } = await train({
    recipe,
    recipeOptions,
    model,
    modelOptions,
    mean,
    std,
    options: { validation: validation ? countOf(validation) : 0, checkpoint: 1e6, ...options, seed },
    train: data,
    validation,
    pool,
    from,
    folder: place,
    onProgress: (p) => {
      if (p.kind === "epoch") request.onProgress?.(`seed ${seed}: ${name}, epoch ${p.record.epoch}`);
    },
  });
  const network = await loadClassifier(modelPath!, test.shape),
    images = examplesOf(test, measure.examples, 0); // the first half of the digits is harder than the second
  const { epsilon, steps = 20, restarts = 1, stepSize = epsilon / 4 } = measure;
  const under = async (attack: Parameters<typeof attackDataset>[2]["attack"]): ReturnType<typeof attackDataset> =>
    attackDataset(network, images, { attack, epsilon, seed });
  const fgsm = await under({ name: "fgsm" }),
    pgd = await under({ name: "pgd", options: { steps, restarts, stepSize } });
  const last = history.at(-1)!;
  const trained: Trained = {
    clean: fgsm.cleanAccuracy.value,
    fgsm: fgsm.robustAccuracy.value,
    pgd: pgd.robustAccuracy.value,
    gradientEvaluations: last.gradientEvaluations,
    seconds: last.seconds,
    history,
    modelPath: modelPath!,
  };
  await writeFile(result, JSON.stringify(trained));
  return trained;
};

/** The first examples of an order that the seed draws. @param from  of that order */
export const examplesOf = (data: Dataset, count: number, seed: number, from = 0): Dataset => {
  const order = createRng(seed).split("examples").permutation(countOf(data));
  return selectExamples(data, order.subarray(from, Math.min(from + count, countOf(data))));
};
