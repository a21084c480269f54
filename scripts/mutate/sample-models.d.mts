import type { ModelProto } from "temper/onnx";

/** Small models that together use every part of the format, by name, with the shape of their input `x` (float32). */
export declare const sampleModels: () => Readonly<
  Record<
    "convolution" | "typedFields" | "control" | "functions" | "sparse" | "otherTypes",
    { readonly model: ModelProto; readonly input: readonly number[] }
  >
>;
