import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readNpz } from "temper/data";
import { scale } from "temper/ops";
import type { EvaluationResult } from "temper/evaluate";
import { evaluationSchema } from "temper/report";
import { afterAll, describe, expect, it } from "vitest";
import { linearGraph, taskOf } from "../evaluate/linear.ts";
import { faults } from "../report/faults.ts";
import { documentOf, folder, type Outcome, removeFolder, temper, writeData, writeModel } from "./command.ts";

afterAll(removeFolder);

const task = taskOf({ classes: 2, contrast: 0.06, count: 120 });
writeModel("model.onnx", linearGraph(task));
writeData("data.npz", { test: task.dataset });
const clear = taskOf({ classes: 2, count: 120 });
writeData("train.npz", { test: clear.dataset, train: clear.dataset });
const attack = ["--epsilon", "0.02", "--attack", "pgd:steps=15"];
const evaluateIt = ["evaluate", "model.onnx", "--data", "data.npz", ...attack];

describe("evaluate", () => {
  it("prints accuracies, table, curve and cost, and writes both reports", async () => {
    const { code, stdout, stderr } = await temper(evaluateIt);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^model\.onnx on data test: 120 examples 1x8x8, pixels 0 to 1\n/);
    expect(stdout).toMatch(/^clean accuracy +\d+\.\d\d %  \(95 % interval \d+\.\d\d to \d+\.\d\d; \d+ of 120\)$/m);
    expect(stdout).toMatch(/^robust accuracy +\d+\.\d\d % .* of 120\) under linf 0\.02$/m);
    expect(stdout).toMatch(/^pgd +\d+ +\d+/m);
    expect(stdout).toMatch(/^ *0\.005 +120 +\d+\.\d\d %/m); // a quarter of epsilon
    expect(stdout).toMatch(/gradient and \d+ forward evaluations; seed 0$/m);
    expect(stdout).not.toMatch(/Doubt/);
    expect(readFileSync(join(folder, "model-report.html"), "utf8")).toMatch(/^<!doctype html>/i);
    const written = JSON.parse(readFileSync(join(folder, "model-report.json"), "utf8")) as EvaluationResult;
    expect(faults(written, evaluationSchema)).toEqual([]);
    expect(written.examples[0]!.pixels).toHaveLength(64);
    expect(written.command).toBe(`temper ${evaluateIt.join(" ")}`);
  });

  it("--json prints one document of the published schema, and writes no files that were not named", async () => {
    const outcome = await temper([...evaluateIt, "--json", "--range", "0:110", "--sweep", "0"], { cwd: join(folder) });
    expect(outcome.code).toBe(0);
    const result = documentOf(outcome) as unknown as EvaluationResult;
    expect(faults(result, evaluationSchema)).toEqual([]);
    for (const fraction of [result.cleanAccuracy, result.robustAccuracy])
      expect(fraction).toEqual({
        value: expect.any(Number),
        low: expect.any(Number),
        high: expect.any(Number),
        count: 110,
      });
    expect(result.robustAccuracy.value).toBeLessThan(result.cleanAccuracy.value);
    expect(result.attacks).toMatchObject([{ name: "pgd", options: { steps: 15, restarts: 1 } }]);
    expect(result.sweep).toHaveLength(1);
    expect(existsSync(join(folder, "data-report.html"))).toBe(false);
  });

  it("--report names the files, and makes their folder", async () => {
    const outcome = await temper([...evaluateIt, "--json", "--sweep", "0", "--report", "new/deep/page.html"]);
    expect(outcome.code, outcome.stderr).toBe(0);
    for (const name of ["page.html", "page.json"]) expect(existsSync(join(folder, "new/deep", name))).toBe(true);
  });

  it("--min-robust-accuracy exits with 1 below it, and still gives the result", async () => {
    const [missed, met] = [
      await temper([...evaluateIt, "--json", "--sweep", "0", "--min-robust-accuracy", "0.99"]),
      await temper([...evaluateIt, "--json", "--sweep", "0", "--min-robust-accuracy", "0.1"]),
    ];
    expect([missed.code, met.code]).toEqual([1, 0]);
    expect(documentOf(missed)["robustAccuracy"]).toEqual(documentOf(met)["robustAccuracy"]);
    expect(missed.stderr).toMatch(/is below the 99\.00 % of --min-robust-accuracy/);
  });

  it("runs several attacks in one cascade, in the norm that is asked for", async () => {
    const outcome = await temper([
      ...["evaluate", "model.onnx", "--data", "data.npz", "--norm", "l2", "--epsilon", "0.1", "--sweep", "0", "--json"],
      ...["--attack", "fgsm", "--attack", "apgd-ce:steps=10,restarts=2"],
    ]);
    const { attacks, threat } = documentOf(outcome) as unknown as EvaluationResult;
    expect(attacks.map(({ name }) => name)).toEqual(["fgsm", "apgd-ce"]);
    expect(attacks[1]!.attempted).toBe(attacks[0]!.attempted - attacks[0]!.broken);
    expect(threat.norm).toBe("l2");
  });

  it("gives the doubt about a wrong range, and takes the remedy that it names", async () => {
    writeModel("bytes.onnx", linearGraph(task, { before: (x) => scale(x, 1 / 255) }));
    const args = ["evaluate", "bytes.onnx", "--data", "data.npz", "--attack", "fgsm", "--sweep", "0"];
    const wrong = await temper(args);
    expect(wrong.stdout).toMatch(/^Doubt \(chance\): .*try --input-range 0:255\.$/m);
    const right = await temper([...args, "--input-range", "0:255", "--epsilon", "5.1", "--json"]);
    expect(documentOf(right)).toMatchObject({ doubts: [], threat: { box: [0, 255] } });
  });

  it("keeps control characters of a name away from the terminal", async () => {
    const { stderr, code } = await temper(["evaluate", "\u001B[2Jmodel.onnx", "--data", "data.npz"]);
    expect(code).toBe(2);
    expect(stderr).not.toContain("\u001B");
  });

  it("Ctrl-C ends it early with what it has, a doubt, and 3", async () => {
    const args = [
      "evaluate",
      "model.onnx",
      "--data",
      "data.npz",
      "--epsilon",
      "0.001",
      "--sweep",
      "0",
      "--report",
      "stopped",
    ];
    let sent = false;
    const { code, stdout, stderr } = await temper([...args, "--attack", "pgd:steps=100000", "--batch", "16"], {
      watch: (child, out) => {
        if (!sent && out.includes("clean accuracy")) sent = child.kill("SIGINT");
      },
    });
    expect(code, stderr).toBe(3);
    expect(stderr).toMatch(/Stopping after the current step/);
    expect(stdout).toMatch(/Doubt \(interrupted\)/);
    const { doubts } = JSON.parse(readFileSync(join(folder, "stopped.json"), "utf8")) as EvaluationResult;
    expect(doubts.map((d) => d.code)).toContain("interrupted");
  });
});

describe("attack", () => {
  it("saves what it finds, in a file that holds when it is judged again", async () => {
    const outcome = await temper([
      "attack",
      "model.onnx",
      "--data",
      "data.npz",
      ...attack,
      "--save",
      "adv.npz",
      "--json",
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    const found = documentOf(outcome) as unknown as Record<
      "robustAccuracy" | "cleanAccuracy",
      { value: number; count: number }
    > & {
      readonly attacks: readonly { readonly broken: number }[];
      readonly verified: number;
    };
    const { broken } = found.attacks[0]!;
    expect(broken).toBeGreaterThan(5);
    expect(found.verified).toBe(broken);
    expect(found.robustAccuracy.count).toBe(120);
    const path = join(folder, "adv.npz"),
      arrays = readNpz(path, new Uint8Array(readFileSync(path)));
    expect([...arrays.keys()].toSorted()).toEqual(["adversarial", "broken", "labels", "predictions", "x"]);
    const data = (name: string): ArrayLike<number | bigint> => arrays.get(name)!.data;
    const [x, adv, labels, flags] = [data("x"), data("adversarial"), data("labels"), data("broken")];
    let count = 0;
    for (let i = 0; i < 120; i++) {
      if (!flags[i]) continue;
      count++;
      const score = [0, 1].map((k) => {
        let s = task.bias[k]!;
        for (let j = 0; j < 64; j++) s += Number(adv[i * 64 + j]) * task.weights[j * 2 + k]!;
        return s;
      });
      expect(score[0]! > score[1]! ? 0n : 1n).not.toBe(labels[i]);
      for (let j = i * 64; j < (i + 1) * 64; j++)
        expect(Math.abs(Number(adv[j]) - Number(x[j]))).toBeLessThanOrEqual(0.02 + 1e-6);
    }
    expect(count).toBe(broken);
  });

  it("Ctrl-C ends it with 3", async () => {
    let sent = false;
    const args = ["attack", "model.onnx", "--data", "data.npz", "--epsilon", "0.001", "--attack", "pgd:steps=1000000"];
    const { code, stderr } = await temper(args, {
      watch: (child, out) => {
        if (!sent && out.includes("model.onnx on data")) sent = child.kill("SIGINT");
      },
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(/had not reached/);
  });
});

describe("train", () => {
  const args = [
    "train",
    "pgd-at",
    "--data",
    "train.npz",
    "--model",
    "mlp",
    "--batch-size",
    "20",
    "--lr",
    "0.01",
    "--epsilon",
    "0.02",
  ];
  const more = ["--epochs", "8", "--steps", "60", "--checkpoint", "0", "--validation", "0", "--json"];
  const lossesOf = (outcome: Outcome): number[] =>
    (documentOf(outcome)["history"] as readonly { readonly loss: number }[]).map(({ loss }) => loss);

  it("Ctrl-C leaves a state that resumes to the same result", async () => {
    const whole = await temper([...args, ...more, "--out", "whole"]);
    expect(whole.code, whole.stderr).toBe(0);
    expect(documentOf(whole)).toMatchObject({ finished: true, model: join("whole", "model.onnx") });

    const state = join(folder, "parts", "run.json");
    const first = await temper([...args, ...more, "--out", "parts"], {
      start: (child) => {
        const timer = setInterval(() => {
          if (!existsSync(state)) return;
          clearInterval(timer);
          child.kill("SIGINT");
        }, 10);
        child.on("exit", () => clearInterval(timer));
      },
    });
    expect(first.code, first.stderr).toBe(3);
    expect(documentOf(first)).toMatchObject({ finished: false, model: null });
    const { step } = JSON.parse(readFileSync(state, "utf8")) as { step: number };
    expect(step).toBeLessThan(8 * 6);

    const again = await temper([...args, ...more, "--out", "parts"]);
    expect([again.code, documentOf(again)["error"]]).toEqual([
      2,
      { code: "bad-option", message: expect.stringMatching(/--resume/) },
    ]);
    const other = await temper([...args, ...more.slice(2), "--out", "parts", "--resume", "--epochs", "9"]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/started with epochs = 8/)]);

    const second = await temper([...args, ...more, "--out", "parts", "--resume"]);
    expect(second.code, second.stderr).toBe(0);
    const [a, b] = [lossesOf(whole), lossesOf(second)];
    expect(b).toHaveLength(8);
    b.forEach((loss, i) => expect(loss).toBeCloseTo(a[i]!, 4));
    expect(a.at(-1)!).toBeLessThan(a[0]!);
  });

  it("gives a model that the other commands take", async () => {
    const outcome = await temper([
      "evaluate",
      "whole/model.onnx",
      "--data",
      "train.npz",
      ...attack,
      "--sweep",
      "0",
      "--json",
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect((documentOf(outcome)["cleanAccuracy"] as { value: number }).value).toBeGreaterThan(0.7);
  });
});
