import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { type DType, release, type Tensor, type TensorData, TemperError, toFloat64 } from "../core/index.ts";
import { type Array64, fromArray64, toArray64 } from "../graph/index.ts";
import { decodeModel } from "../onnx/index.ts";
import { bindParameters, evaluateGraph, importModel } from "../ops/index.ts";
import { inNode } from "./cores.ts";
import { loadOrt } from "./ort.ts";
import type { DeviceName, Feeds } from "./program.ts";

/** A model made ready to run in this thread. */
export interface Session {
  readonly run: (feeds: Feeds, wanted: readonly string[]) => Promise<Record<string, Tensor>>;
  readonly release: () => Promise<void>;
}

/**
 * @param model  as `encode` gives it; its memory goes back once the runtime has its own copy
 * @param trace  the runtime writes a trace of all runs when the session is released, to a file whose path starts so
 */
export const createSession = async (
  model: Uint8Array,
  device: DeviceName,
  threads: number,
  trace?: string,
): Promise<Session> =>
  device === "reference" ? referenceSession(model) : ortSession(model, sessionOptions(device, threads, trace), device);

const ortSession = async (
  model: Uint8Array,
  options: InferenceSession.SessionOptions,
  device: DeviceName,
): Promise<Session> => {
  const ort = await loadOrt(device);
  const session = await ort.InferenceSession.create(model, options).catch((error: Error) => {
    throw new TemperError("device", deviceMessage(device, error), { cause: error });
  });
  release([model]); // the runtime has its own copy now
  return {
    run: async (feeds, wanted) => {
      const inputs: Record<string, OrtTensor> = {};
      for (const name in feeds) {
        const { dtype, data, shape } = feeds[name]!;
        inputs[name] = new ort.Tensor(dtype as "float32", data as Float32Array, shape);
      }
      const outputs = await session.run(inputs, wanted).catch((error: Error) => {
        throw new TemperError("device", `ONNX Runtime failed: ${error.message}`, { cause: error });
      });
      const result: Record<string, Tensor> = {};
      for (const name of wanted) {
        const { type, dims, data } = outputs[name]!;
        result[name] = { dtype: type as DType, shape: dims, data: data as TensorData } as Tensor;
      }
      return result;
    },
    release: () => session.release(),
  };
};

const CPU = inNode ? "cpu" : "wasm";

/**
 * Settings that measured best: no memory pattern (half the memory of gradient graphs), spinning stops after a run so
 * that two sessions used in turn do not slow each other down.
 */
const sessionOptions = (
  device: DeviceName,
  threads: number,
  trace: string | undefined,
): InferenceSession.SessionOptions => ({
  executionProviders: device === "cpu" ? [CPU] : [device, CPU],
  graphOptimizationLevel: "all",
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  enableMemPattern: false,
  logSeverityLevel: 3,
  extra: { session: { force_spinning_stop: "1" } },
  ...(trace !== undefined && { enableProfiling: true, profileFilePrefix: trace }),
});

const deviceMessage = (device: DeviceName, { message }: Error): string =>
  device === "cuda"
    ? `The CUDA device could not be started: ${message}. Install with ONNXRUNTIME_NODE_INSTALL=cuda12 and have CUDA 12 and cuDNN 9; \`temper doctor\` shows what is missing.`
    : device === "webgpu"
      ? `The WebGPU device could not be started: ${message}. It needs a GPU with a driver for Vulkan (on Linux, with its loader libvulkan), Direct3D 12 or Metal; \`temper doctor\` shows what is missing.`
      : `ONNX Runtime refused the model: ${message}`;

/** The same model in float64, operator by operator. Slow and exact: the oracle. */
const referenceSession = (model: Uint8Array): Session => {
  const graph = bindParameters(importModel(decodeModel(model)));
  return {
    run: async (feeds, wanted) => {
      const arrays: Record<string, Array64> = {};
      for (const name in feeds) arrays[name] = toArray64(feeds[name]!);
      const outputs = evaluateGraph(graph, arrays);
      return Object.fromEntries(wanted.map((name) => [name, widen(outputs[name]!)]));
    },
    release: async () => undefined,
  };
};
const widen = (a: Array64): Tensor =>
  a.dtype.startsWith("float")
    ? {
        dtype: "float64",
        shape: a.shape,
        data: toFloat64({
          dtype: "float64",
          shape: a.shape,
          data: a.data as Float64Array<ArrayBuffer>,
        }) as Float64Array<ArrayBuffer>,
      }
    : fromArray64(a);
