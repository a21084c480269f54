import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { glyphs } from "temper/data";
import { decodeSafetensors, encodeSafetensors, readManifest, train, type TrainRequest } from "temper/train";
import { beforeAll, describe, expect, it } from "vitest";
import { checkKills, killed } from "./killed.ts";
import { newFolder, outcomeOf, requests, training, validation } from "./setting.ts";

/** Trains and stops once `steps` were reported; the step under way is still done. */
const interrupt = async (request: TrainRequest, steps: number): Promise<void> => {
  const stop = new AbortController();
  let seen = 0;
  const { finished, modelPath } = await train({
    ...request,
    signal: stop.signal,
    onProgress: (p) => p.kind === "step" && ++seen === steps && stop.abort(),
  });
  expect(finished).toBe(false);
  expect(modelPath).toBeUndefined();
};

describe.each(Object.entries(requests))("a %s run", (name, request) => {
  let whole: Record<string, unknown>;
  beforeAll(async () => {
    const folder = newFolder();
    await train({ ...request, folder });
    whole = await outcomeOf(folder);
  });

  it("gives the same bits twice", async () => {
    const folder = newFolder();
    await train({ ...request, folder });
    expect(await outcomeOf(folder)).toEqual(whole);
  });

  it("gives the same bits when it is interrupted, in the middle of an epoch and again", async () => {
    const folder = newFolder();
    await interrupt({ ...request, folder }, 2);
    const first = (await readManifest(folder)).step;
    expect(first).toBeGreaterThanOrEqual(2);
    await interrupt({ ...request, folder, resume: true }, 3);
    expect((await readManifest(folder)).step).toBeGreaterThanOrEqual(first + 3);
    const { finished, history } = await train({ ...request, folder, resume: true });
    expect(finished).toBe(true);
    expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(await outcomeOf(folder)).toEqual(whole);
  });

  it("differs with the seed", async () => {
    const folder = newFolder();
    await train({ ...request, options: { ...request.options, seed: 6 }, folder });
    expect((await outcomeOf(folder))["state"]).not.toBe(whole["state"]);
  });

  // The child trains the robust request only.
  if (name === "robust")
    it("gives the same bits when its process is killed", async () => {
      const folder = newFolder();
      // The child saves after every step; how often is not part of the result, apart from the note of it in the model.
      const often = { ...request, options: { ...request.options, checkpoint: 0 } };
      await killed(often, folder, 7);
      const { step, history } = await readManifest(folder);
      expect(step).toBeGreaterThanOrEqual(6); // a step is told before it is saved
      expect(step).toBeLessThan(18);
      expect(history.length).toBe(Math.floor(step / 6));
      await train({ ...often, folder, resume: true });
      const { model: _, config: __, ...rest } = await outcomeOf(folder);
      const { model: ___, config: ____, ...expected } = whole;
      expect(rest).toEqual(expected);
    });
});

it(
  "a run with everything that has a state, killed at 2 random moments, gives the same bits",
  { timeout: 180_000 },
  () => checkKills(2, 0),
);

describe("a folder", () => {
  let stopped: string;
  beforeAll(async () => {
    stopped = newFolder();
    await interrupt({ ...requests.plain, folder: stopped }, 2);
  });
  /** A copy, to spoil. */
  const copy = (): string => {
    const folder = newFolder();
    mkdirSync(folder);
    for (const name of readdirSync(stopped)) copyFileSync(join(stopped, name), join(folder, name));
    return folder;
  };
  const resumed = (folder: string, more: object = {}) =>
    expect(train({ ...requests.plain, ...more, folder, resume: true })).rejects;
  const options = requests.plain.options;

  it("that holds a run is refused without resume", async () => {
    const before = readFileSync(join(stopped, "run.json"));
    await expect(train({ ...requests.plain, folder: stopped })).rejects.toThrow(/already holds a run. Resume it/);
    expect(readFileSync(join(stopped, "run.json"))).toEqual(before);
  });

  it("is resumed only with the configuration it was started with; the difference is named", async () => {
    await resumed(stopped, { options: { ...options, lr: 0.1 } }).toThrow(/started with lr = 0.05, not 0.1/);
    await resumed(stopped, { options: { ...options, seed: 1 } }).toThrow(/seed = 0, not 1/);
    await resumed(stopped, { recipe: "pgd-at" }).toThrow(/recipe = "standard", not "pgd-at"/);
    await resumed(stopped, { modelOptions: { channels: [4, 8], dense: [17] } }).toThrow(/modelOptions = .*\[16\].*not/);
    await resumed(stopped, { model: "mlp", modelOptions: {} }).toThrow(/model = "small-cnn", not "mlp"/);
    await resumed(stopped, { mean: [0.5], std: [0.5] }).toThrow(/mean = \[\], not \[0.5\]/);
    await resumed(stopped, { train: glyphs({ split: "train", count: 200 }) }).toThrow(/dataHash/);
    await resumed(stopped, { train: { ...training, range: [-1, 1] } }).toThrow(/range = \[0,1\], not \[-1,1\]/);
    await resumed(stopped, { validation }).toThrow(/validationHash = null, not/);
  });

  it("may be resumed with the same options in another order, and with other times between saves", async () => {
    const folder = copy();
    const modelOptions = { dense: [16], channels: [4, 8] };
    const { finished } = await train({
      ...requests.plain,
      modelOptions,
      options: { ...options, checkpoint: 7 },
      folder,
      resume: true,
    });
    expect(finished).toBe(true);
  });

  it("with a damaged state gives an error that names the file", async () => {
    const stateOf = async (folder: string): Promise<string> => join(folder, (await readManifest(folder)).tensors);
    const cut = copy(),
      cutState = await stateOf(cut);
    truncateSync(cutState, 1000);
    await resumed(cut).toThrow(/state-[ab].safetensors: .*bytes/);

    const spoilt = copy(),
      path = await stateOf(spoilt);
    const { tensors, metadata } = decodeSafetensors(path, readFileSync(path));
    const write = (changed: object): void =>
      writeFileSync(path, encodeSafetensors({ tensors, metadata, ...changed } as typeof held));
    const held = { tensors, metadata };
    const { "fc2.bias": bias, ...rest } = tensors;
    write({ tensors: rest });
    await resumed(spoilt).toThrow(/"fc2.bias" is missing, wanted float32\[10\]/);
    write({ tensors: { ...rest, "fc2.bias": { ...bias!, shape: [1, 10] } } });
    await resumed(spoilt).toThrow(/"fc2.bias" is float32\[1, 10\]/);
    write({ tensors: { ...tensors, more: bias! } });
    await resumed(spoilt).toThrow(/this run has no tensor "more"/);
    write({ metadata: { step: "17" } });
    await resumed(spoilt).toThrow(/holds step 17, run.json says \d+. Were two runs in this folder at once\?/);
    const code = await train({ ...requests.plain, folder: spoilt, resume: true }).catch(
      (e: { code: string }) => e.code,
    );
    expect(code).toBe("bad-file");
  });

  it("with a damaged manifest gives an error that names the file", async () => {
    const folder = copy(),
      path = join(folder, "run.json"),
      good = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    const withText = (text: string) => (writeFileSync(path, text), resumed(folder));
    await withText("{").toThrow(/run.json is not valid JSON/);
    await withText("").toThrow(/run.json is not valid JSON/);
    for (const bad of [
      [],
      null,
      7,
      {},
      { ...good, schema: "temper.run/2" },
      { ...good, tensors: "../../etc/passwd" },
      { ...good, step: -1 },
      { ...good, step: "3" },
      { ...good, history: [null] },
      { ...good, history: {} },
      { ...good, sums: { loss: null } },
      { ...good, config: null },
      { ...good, config: {} },
    ])
      await withText(JSON.stringify(bad)).toThrow(/run.json is not the state of a run of this version/);
    await withText(JSON.stringify({ ...good, step: 10 ** 6 })).toThrow(/run.json says 1000000/);
  });

  // A file at /dev/full takes nothing: what a full disk answers.
  it.skipIf(!existsSync("/dev/full"))(
    "on a full disk: says so, keeps its last state, and goes on from it",
    async () => {
      const whole = newFolder();
      await train({ ...requests.plain, folder: whole });
      const folder = copy(),
        before = readFileSync(join(folder, "run.json"));
      const inTheWay = ["state-a", "state-b"].map((name) => join(folder, `${name}.safetensors.tmp`));
      inTheWay.forEach((path) => symlinkSync("/dev/full", path));
      await resumed(folder).toThrow(/state-[ab].safetensors cannot be written: ENOSPC/);
      expect(readFileSync(join(folder, "run.json"))).toEqual(before);
      inTheWay.forEach((path) => unlinkSync(path));
      await train({ ...requests.plain, folder, resume: true });
      expect(await outcomeOf(folder)).toEqual(await outcomeOf(whole));
    },
  );

  it("whose best weights are cut short gives an error that names the file, and keeps the state", async () => {
    const request = {
      ...requests.plain,
      validation,
      options: { ...options, validation: 60, select: "best", epochs: 2 },
      folder: newFolder(),
    } as const;
    await train(request);
    const before = readFileSync(join(request.folder, "run.json"));
    truncateSync(join(request.folder, "best.safetensors"), 1000);
    await expect(train({ ...request, resume: true })).rejects.toThrow(/best.safetensors: .*bytes/);
    expect(readFileSync(join(request.folder, "run.json"))).toEqual(before);
  });

  it("that cannot be written gives an error that names the file", async () => {
    const file = newFolder();
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "in the way");
    await expect(train({ ...requests.plain, folder: join(file, "run") })).rejects.toThrow(/cannot be written/);
  });

  it.each([1e30, 1e39])("of a run that diverges (rate %d) keeps the last state that is whole", async (lr) => {
    const folder = newFolder();
    const request = {
      ...requests.plain,
      options: { ...options, lr, schedule: "constant", checkpoint: 0 },
      folder,
    };
    await expect(train(request as TrainRequest)).rejects.toThrow(
      /train: .* at step \d+ \(epoch 1, learning rate 1.00e\+3[09]\). The last saved state in .* is whole/,
    );
    const { tensors, step } = await readManifest(folder);
    expect(step).toBeLessThan(6);
    for (const { data } of Object.values(decodeSafetensors("", readFileSync(join(folder, tensors))).tensors))
      expect((data as Float32Array).every(Number.isFinite)).toBe(true);
    expect(existsSync(join(folder, "model.onnx"))).toBe(false);
  });
});
