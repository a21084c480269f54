import { f32 } from "../../core/index.ts";
import { constant, ints } from "../../graph/index.ts";
import {
  attributeOf,
  type FileNode,
  inputAt,
  intsToInput,
  type Normalize,
  scalarOf,
  withAttribute,
  withInput,
  without,
} from "./node.ts";

/** Attributes that later versions turned into inputs. Source: ONNX changelog of each operator. */

/** `axes` became input 1. @param since  version of the operators that has the input */
export const axesToInput =
  (since: number): Normalize =>
  (node) =>
    node.version < since ? intsToInput(node, "axes", 1) : node;

/** Slice 1: starts, ends, axes. */
export const slice: Normalize = (node) =>
  node.version < 10 ? ["starts", "ends", "axes"].reduce((n, name, i) => intsToInput(n, name, i + 1), node) : node;

/** Pad 2: pads, value. */
export const pad: Normalize = (node) => {
  if (node.version >= 11) return node;
  const value = attributeOf(node, "value", "float") ?? 0;
  const padded = without(intsToInput(node, "pads", 1), "value");
  return value === 0 ? padded : withInput(padded, 2, scalarOf(inputAt(node, 0), value));
};

/** Largest float32: the default bounds of Clip 6, which stand for none. */
const UNBOUNDED = 3.4e38;

/** Clip 6: min, max. */
export const clip: Normalize = (node) => {
  if (node.version >= 11) return node;
  const x = inputAt(node, 0);
  const bound = (name: string) => {
    const value = attributeOf(node, name, "float");
    return value === undefined || Math.abs(value) > UNBOUNDED ? undefined : scalarOf(x, value);
  };
  return withInput(withInput(without(node, "min", "max"), 1, bound("min")), 2, bound("max"));
};

/** TopK 1: k. */
export const topK: Normalize = (node) => {
  const k = node.version < 10 ? attributeOf(node, "k", "int") : undefined;
  return k === undefined ? node : withInput(without(node, "k"), 1, ints([k]));
};

/** Split: sizes as an attribute before 13; equal parts by the number of outputs before 18. */
export const split: Normalize = (node) => {
  if (node.version >= 18) return node;
  const sized = node.version < 13 ? intsToInput(node, "split", 1) : node;
  return sized.inputs[1] ? sized : withAttribute(sized, "num_outputs", "int", node.outputs.length);
};

/** Resize 11 and later: inputs that are there but empty or without effect are dropped. */
const resizeInputs = (node: FileNode): FileNode => {
  const mode = attributeOf(node, "coordinate_transformation_mode", "string");
  const plain = mode === "tf_crop_and_resize" ? node : withInput(node, 1, undefined);
  return plain.inputs[2]?.shape[0] === 0 ? withInput(plain, 2, undefined) : plain;
};

/** Upsample and Resize 10: pixel i comes from i / scale, rounded down; scales as attribute or input 1. */
export const resize: Normalize = (node) => {
  if (node.opType === "Resize" && node.version > 10) return resizeInputs(node);
  const given = attributeOf(node, "scales", "floats");
  const scales = given ? constant(f32(given)) : inputAt(node, 1);
  const renamed = { ...without(node, "scales"), opType: "Resize", inputs: [inputAt(node, 0), undefined, scales] };
  const asymmetric = withAttribute(renamed, "coordinate_transformation_mode", "string", "asymmetric");
  return withAttribute(asymmetric, "nearest_mode", "string", "floor");
};
