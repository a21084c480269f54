import { createRng, type DType, sizeOf, type Tensor } from "temper/core";
import {
  ATTRIBUTE_TYPES,
  type AttributeProto,
  concatChunks,
  dataTypeOf,
  encodeModel,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  tensorToProto,
  type ValueInfoProto,
} from "temper/onnx";

// The collector is told to stay silent before the library loads; the tests talk to it directly, as any user would.
process.env["ORT_DISABLE_TELEMETRY"] = "1";
const { default: ort } = await import("onnxruntime-node");

/** Models written by hand, message by message, as some exporter or other writes them. */

const text = new TextEncoder();

/** Attribute values by what they are in the file. */
export interface AttributeValue {
  readonly i?: number;
  readonly f?: number;
  readonly s?: string;
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
  readonly t?: Tensor;
  readonly g?: GraphProto;
  /** Name of the attribute of the call that gives the value, inside a function. */
  readonly ref?: string;
}

const attributeProto = (name: string, { s, t, ref, ...rest }: AttributeValue): AttributeProto => {
  const value = {
    ...rest,
    ...(s !== undefined && { s: text.encode(s) }),
    ...(t && { t: tensorToProto("", t) }),
  };
  const [field] = Object.keys(value) as (keyof typeof ATTRIBUTE_TYPES)[];
  if (ref !== undefined) return { name, refAttrName: ref, type: ATTRIBUTE_TYPES[field ?? "i"] };
  return { name, type: ATTRIBUTE_TYPES[field!], ...value };
};

/** One node; inputs and outputs as `a b c`, `-` for one that is absent. */
export const nodeOf = (
  opType: string,
  inputs: string,
  outputs: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  more: Partial<NodeProto> = {},
): NodeProto => {
  const names = (list: string): string[] => list.split(" ").flatMap((n) => (n === "" ? [] : [n === "-" ? "" : n]));
  return {
    opType,
    input: names(inputs),
    output: names(outputs),
    attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value)),
    ...more,
  };
};

/** Type of a value: a size, a name or null (unknown) for each axis; without a shape: not even the rank. */
export const infoOf = (name: string, dtype: DType, shape?: readonly (number | string | null)[]): ValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType: dataTypeOf(dtype),
      ...(shape && {
        shape: {
          dim: shape.map((d) => (typeof d === "number" ? { dimValue: d } : d === null ? {} : { dimParam: d })),
        },
      }),
    },
  },
});

export interface ModelParts {
  readonly opset: number;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
  readonly nodes: readonly NodeProto[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly domains?: Readonly<Record<string, number>>;
  readonly functions?: ModelProto["functions"];
}

export const modelOf = (parts: ModelParts): ModelProto => ({
  irVersion: 8,
  producerName: "by hand",
  graph: {
    name: "g",
    node: parts.nodes,
    initializer: Object.entries(parts.initializers ?? {}).map(([name, t]) => tensorToProto(name, t)),
    input: parts.inputs,
    output: parts.outputs,
    valueInfo: parts.valueInfo ?? [],
  },
  opsetImport: [
    { version: parts.opset },
    ...Object.entries(parts.domains ?? {}).map(([domain, version]) => ({ domain, version })),
  ],
  ...(parts.functions && { functions: parts.functions }),
});

export interface Result {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
type Session = Awaited<ReturnType<typeof ort.InferenceSession.create>>;

/** ONNX Runtime without its optimizer, so that what runs is what the file says. */
export const openSession = async (model: ModelProto | Uint8Array): Promise<Session> =>
  ort.InferenceSession.create(model instanceof Uint8Array ? model : concatChunks(encodeModel(model)), {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });

/** Seeded values: normal numbers, or whole numbers below 4. */
export const randomTensor = (dtype: DType, shape: readonly number[], seed: number): Tensor => {
  const rng = createRng(seed);
  const values = Float32Array.from({ length: sizeOf(shape) }, () => rng.normal());
  if (dtype === "float32") return { dtype, shape, data: values };
  const whole = BigInt64Array.from(values, (v) => BigInt(Math.floor(Math.abs(v) * 10) % 4));
  return { dtype: "int64", shape, data: whole };
};

export const runSession = async (
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Result>> => {
  const given = Object.entries(feeds).map(
    ([name, { dtype, data, shape }]) =>
      [name, new ort.Tensor(dtype as "float32", data as Float32Array, shape)] as const,
  );
  const results = await session.run(Object.fromEntries(given));
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { shape: dims, data: Float64Array.from(data as Float32Array, Number) },
    ]),
  );
};

/** Runs a model once. */
export const runModel = async (
  model: ModelProto | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Result>> => {
  const session = await openSession(model);
  try {
    return await runSession(session, feeds);
  } finally {
    await session.release();
  }
};

/**
 * Largest difference between the results, relative to the largest finite value of the first; infinite for other shapes
 * or where only one is NaN or infinite.
 */
export const difference = (a: Readonly<Record<string, Result>>, b: Readonly<Record<string, Result>>): number =>
  Math.max(
    ...Object.entries(a).map(([name, { shape, data }]) => {
      const other = b[name];
      if (!other || other.shape.join() !== shape.join()) return Infinity;
      const scale = data.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0) || 1;
      return data.reduce((m, v, i) => {
        const w = other.data[i]!;
        const d = v === w || Object.is(v, w) ? 0 : Math.abs(w - v) / scale;
        return Number.isNaN(d) ? Infinity : Math.max(m, d);
      }, 0);
    }),
  );
