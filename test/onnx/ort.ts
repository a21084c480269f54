import { createRng } from "temper/core";

/** Outputs of a model by name, as raw bytes, for seeded inputs. */
export type Outputs = Readonly<Record<string, string>>;

// The collector is told to stay silent before the library loads; the tests talk to it directly, as any user would.
process.env["ORT_DISABLE_TELEMETRY"] = "1";
const { default: ort } = await import("onnxruntime-node");

const inputOf = (info: { readonly type: string; readonly shape: readonly (number | string)[] }, seed: number) => {
  const dims = info.shape.map((d, axis) => (typeof d === "number" && d > 0 ? d : axis === 0 ? 2 : 16));
  const size = dims.reduce((a, b) => a * b, 1);
  const rng = createRng(seed);
  if (info.type !== "float32") throw new Error(`no inputs of type ${info.type} here`);
  const data = new Float32Array(size);
  rng.fillUniform(data, 0, 1);
  return new ort.Tensor("float32", data, dims);
};

/**
 * Runs a model (bytes, or a path where external files lie beside it) in ONNX Runtime on seeded uniform inputs; sizes
 * that the model leaves open are 2 for the first axis and 16 for others. Only tensor outputs are returned.
 */
export const runModel = async (model: Uint8Array | string, seed = 1): Promise<Outputs> => {
  const options = { intraOpNumThreads: 1, logSeverityLevel: 3 } as const;
  // two calls: the overloads take one type each
  const session =
    typeof model === "string"
      ? await ort.InferenceSession.create(model, options)
      : await ort.InferenceSession.create(model, options);
  const feeds: Record<string, InstanceType<typeof ort.Tensor>> = {};
  for (const [i, info] of session.inputMetadata.entries())
    if (info.isTensor) feeds[info.name] = inputOf(info, seed + i);
  const wanted = session.outputMetadata.filter((info) => info.isTensor).map((info) => info.name);
  const results = await session.run(feeds, wanted);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data, dims }]) => {
      const { buffer, byteOffset, byteLength } = data as Float32Array;
      return [name, `${dims.join("x")} ${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`];
    }),
  );
};
