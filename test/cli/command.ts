import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { i64, tensor, type Tensor } from "temper/core";
import { type Dataset, writeNpz } from "temper/data";
import type { Graph } from "temper/graph";
import { concatChunks, encodeModel } from "temper/onnx";
import { toOnnx } from "temper/ops";
import { expect } from "vitest";

const bin = fileURLToPath(new URL("../../bin/temper.js", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Looks at the process while it runs, after each piece of output. */
  readonly watch?: (child: ChildProcess, stdout: string) => void;
  readonly start?: (child: ChildProcess) => void;
}

/** Runs the command as a user does, in a process of its own. */
export const temper = (
  args: readonly string[],
  { cwd = folder, env, watch, start }: RunOptions = {},
): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...process.env, ...env } });
    start?.(child);
    let stdout = "",
      stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      watch?.(child, stdout);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });

/** The one JSON document that stands on standard output, and nothing else. */
export const documentOf = ({ stdout }: Outcome): Record<string, unknown> => {
  expect(stdout.endsWith("}\n"), stdout).toBe(true);
  return JSON.parse(stdout) as Record<string, unknown>;
};

/** A folder of its own for each test file; removed at the end. */
export const folder = mkdtempSync(join(tmpdir(), "temper-cli-"));
export const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });

export const writeModel = (name: string, graph: Graph): string => {
  const path = join(folder, name);
  writeFileSync(path, concatChunks(encodeModel(toOnnx(graph))));
  return path;
};

/** Images and labels of each split as one .npz file. */
export const writeData = (name: string, splits: Readonly<Record<string, Dataset>>): string => {
  const arrays = Object.entries(splits).flatMap(([split, { pixels, labels, shape }]): [string, Tensor][] => [
    [`x_${split}`, tensor("float32", [labels.length, ...shape], pixels as Float32Array<ArrayBuffer>)],
    [`y_${split}`, i64(Array.from(labels))],
  ]);
  const path = join(folder, name);
  writeFileSync(path, writeNpz(Object.fromEntries(arrays)));
  return path;
};
