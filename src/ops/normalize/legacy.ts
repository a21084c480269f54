import { TemperError } from "../../core/index.ts";
import { DATA_TYPES } from "../../onnx/index.ts";
import { reshape } from "../reshape.ts";
import {
  attributeOf,
  describeFileNode,
  inputAt,
  intsToInput,
  type Normalize,
  withAttribute,
  withInput,
  without,
} from "./node.ts";

/*
 * Operators before version 7, in which arithmetic did not broadcast as NumPy does. Source: ONNX changelog.
 */

/** `broadcast` with `axis`: the second operand lies along the axes of the first from there on. */
const aligned: Normalize = (node) => {
  const x = inputAt(node, 0),
    y = inputAt(node, 1);
  const axis = attributeOf(node, "axis", "int");
  const plain = without(node, "broadcast", "axis");
  if (axis === undefined || !attributeOf(node, "broadcast", "int")) return plain;
  const from = axis < 0 ? axis + x.shape.length : axis;
  const behind = x.shape.length - from - y.shape.length;
  if (behind < 0)
    throw new TemperError(
      "bad-shape",
      `${describeFileNode(node)}: axis ${axis} leaves no room for the second operand.`,
    );
  return withInput(plain, 1, reshape(y, [...y.shape, ...Array.from({ length: behind }, () => 1)]));
};

/** Slopes of one axis belong to the channels. */
const prelu: Normalize = (node) => {
  const x = inputAt(node, 0),
    slope = inputAt(node, 1);
  const channelwise = slope.shape.length === 1 && slope.shape[0] !== 1 && x.shape.length > 2;
  return channelwise ? withInput(node, 1, reshape(slope, [...slope.shape, ...x.shape.slice(2).map(() => 1)])) : node;
};

/** The element type was a word. */
const cast: Normalize = (node) => {
  if (node.attributes["to"]?.kind !== "string") return node;
  const word = attributeOf(node, "to", "string")!.toLowerCase();
  const type = DATA_TYPES.find((t) => t?.name === word);
  if (!type) throw new TemperError("bad-file", `${describeFileNode(node)}: "${word}" is no element type.`);
  return withAttribute(node, "to", "int", type.code);
};

const concat: Normalize = (node) =>
  node.version < 4 && !node.attributes["axis"] ? withAttribute(node, "axis", "int", 1) : node;

/** Pad 1 had another name for its pads. */
const pad: Normalize = (node) => {
  const pads = attributeOf(node, "paddings", "ints");
  return pads ? withAttribute(without(node, "paddings"), "pads", "ints", pads) : node;
};

const upsample: Normalize = (node) => {
  const height = attributeOf(node, "height_scale", "float"),
    width = attributeOf(node, "width_scale", "float");
  if (height === undefined || width === undefined) return node;
  return withAttribute(without(node, "height_scale", "width_scale"), "scales", "floats", [1, 1, height, width]);
};

/** Tile 1 repeats one axis: inputs tiles and axis. */
const tile: Normalize = (node) => {
  if (node.version >= 6) return node;
  throw new TemperError("unsupported", `${describeFileNode(node)}: Tile before version 6 cannot be read.`);
};

const withoutTest: Normalize = (node) => without(node, "is_test");

/** Rules for nodes of a version below 7, applied before the others. */
export const legacyForms: Readonly<Record<string, Normalize>> = {
  Add: aligned,
  And: aligned,
  BatchNormalization: withoutTest,
  Cast: cast,
  Concat: concat,
  Div: aligned,
  Dropout: withoutTest,
  Equal: aligned,
  Gemm: (node) => without(node, "broadcast"),
  Greater: aligned,
  Less: aligned,
  Mul: aligned,
  Or: aligned,
  PRelu: prelu,
  Pad: pad,
  Pow: aligned,
  Reshape: (node) => intsToInput(node, "shape", 1),
  Sub: aligned,
  Tile: tile,
  Upsample: upsample,
  Xor: aligned,
};
