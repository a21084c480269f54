import { createRequire } from "node:module";
import { availableParallelism, cpus } from "node:os";
import { physicalCores } from "../runtime/index.ts";
import { version } from "../version.ts";
import type { Machine } from "./result.ts";

/** Where a measurement was made. */
export const describeMachine = (threads: number = physicalCores()): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  threads,
  platform: `${process.platform}-${process.arch}`,
  node: process.versions.node,
  onnxruntime: onnxruntimeVersion(),
  temper: version,
});

/** Installed version of ONNX Runtime, without loading it. */
export const onnxruntimeVersion = (): string => {
  try {
    const manifest = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
    return manifest.version;
  } catch {
    return "not installed";
  }
};
