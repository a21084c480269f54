import type * as Ort from "onnxruntime-common";
import { TemperError } from "../core/index.ts";
import { inNode, page, physicalCores } from "./cores.ts";
import type { DeviceName } from "./program.ts";

/**
 * Loads ONNX Runtime once: onnxruntime-node, or in a browser onnxruntime-web, in the build that has WebGPU only for that
 * device. Telemetry is switched off before the library is loaded: version 1.30 otherwise writes a
 * device id and contacts a collector on Linux. The variable must reach the real environment of the process, so worker
 * threads share it (`SHARE_ENV` in engine-thread.ts).
 */
export const loadOrt = async (device: DeviceName = "cpu"): Promise<typeof Ort> => {
  disableTelemetry();
  try {
    const ort = (await (device === "webgpu" ? import("#ort-webgpu") : import("#ort"))) as unknown as typeof Ort;
    if (!inNode) prepare(ort);
    return ort;
  } catch (error) {
    const name = inNode ? "onnxruntime-node" : "onnxruntime-web";
    throw new TemperError(
      "device",
      `ONNX Runtime could not be loaded: ${(error as Error).message}. Reinstall ${name}; \`temper doctor\` says more.`,
      { cause: error },
    );
  }
};

let webVersion = "onnxruntime-web";
/** Threads share memory, which a page may only where no other origin can look into it (headers COOP and COEP). */
const prepare = ({ env }: typeof Ort): void => {
  env.wasm.numThreads ??= page.crossOriginIsolated ? physicalCores() : 1;
  webVersion = env.versions.web ?? webVersion;
};

export const disableTelemetry = (): void => {
  if (inNode) process.env["ORT_DISABLE_TELEMETRY"] = "1";
};

/** Installed version of ONNX Runtime, without loading it; in a browser known once it was loaded. */
export const onnxruntimeVersion = (): string => {
  if (!inNode) return webVersion;
  try {
    const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);
    return (require("onnxruntime-node/package.json") as { version: string }).version;
  } catch {
    return "not installed";
  }
};
