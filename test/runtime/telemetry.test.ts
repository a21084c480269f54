import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const entry = (path: string): string => JSON.stringify(pathToFileURL(join(root, path)).href);
const run = promisify(execFile);
const canTrace = process.platform === "linux" && spawnSync("strace", ["-V"]).status === 0;
if (!canTrace) console.log("telemetry: strace is not installed, so only files are checked, not name look-ups");

/** A program that computes something, and lives on for a moment: telemetry starts late. */
const ours = `
  const { compile, trace, float32, f32 } = await import(${entry("dist/index.js")}).then(async (t) => ({ ...t }));
  const { scale } = await import(${entry("dist/ops/index.js")});
  const program = await compile(trace("t", { x: float32(2) }, ({ x }) => scale(x, 2)));
  await program.run({ x: f32([1, 2]) });
  await new Promise((resolve) => setTimeout(resolve, 1500));`;

/** The control: the same runtime without us. If it left no trace, this test could not fail. */
const bare = `
  const ort = await import(${entry("node_modules/onnxruntime-node/dist/index.js")});
  const { encodeModel, concatChunks } = await import(${entry("dist/onnx/index.js")});
  const { trace, float32 } = await import(${entry("dist/graph/index.js")});
  const { scale, toOnnx } = await import(${entry("dist/ops/index.js")});
  const graph = trace("t", { x: float32(2) }, ({ x }) => scale(x, 2));
  await ort.default.InferenceSession.create(concatChunks(encodeModel(toOnnx(graph))));
  await new Promise((resolve) => setTimeout(resolve, 1500));`;

const traceOf = async (code: string): Promise<{ files: string[]; lookups: string[] }> => {
  const home = mkdtempSync(join(tmpdir(), "temper-home-")),
    log = join(home, "trace.log");
  const node = [process.execPath, "--input-type=module", "-e", code];
  const [command, ...args] = canTrace
    ? ["strace", "-f", "-e", "trace=openat,socket,connect", "-o", log, ...node]
    : node;
  // Nothing else of this environment: under CI the runtime keeps quiet by itself (CI, TF_BUILD, GITHUB_ACTIONS).
  await run(command!, args, { env: { PATH: process.env["PATH"], HOME: home, TMPDIR: home } });
  const files = readdirSync(home, { recursive: true, encoding: "utf8" }).filter((f) =>
    /deviceid|\.db|mat-debug/.test(f),
  );
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [];
  return { files, lookups: lines.filter((line) => /resolv\.conf|\/etc\/hosts|AF_INET/.test(line)) };
};

it.skipIf(process.platform !== "linux")("ONNX Runtime writes no id, no database, and looks up no name", async () => {
  const control = await traceOf(bare);
  expect(control.files.length).toBeGreaterThan(0);
  expect(await traceOf(ours)).toEqual({ files: [], lookups: [] });
});
