import { createRequire } from "node:module";
import type * as Ort from "onnxruntime-common";
import { TemperError } from "../core/index.ts";

/**
 * Loads ONNX Runtime once. Telemetry is switched off before the library is loaded: version 1.30 otherwise writes a
 * device id and contacts a collector on Linux. The variable must reach the real environment of the process, so worker
 * threads share it (`SHARE_ENV` in engine.ts).
 */
export const loadOrt = async (): Promise<typeof Ort> => {
  disableTelemetry();
  try {
    return (await import("#ort")) as unknown as typeof Ort;
  } catch (error) {
    throw new TemperError(
      "device",
      `ONNX Runtime could not be loaded: ${(error as Error).message}. Reinstall onnxruntime-node; \`temper doctor\` says more.`,
      { cause: error },
    );
  }
};

export const disableTelemetry = (): void => {
  if (typeof process !== "undefined") process.env["ORT_DISABLE_TELEMETRY"] = "1";
};

/** Installed version of ONNX Runtime, without loading it. */
export const onnxruntimeVersion = (): string => {
  try {
    const manifest = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
    return manifest.version;
  } catch {
    return "not installed";
  }
};
