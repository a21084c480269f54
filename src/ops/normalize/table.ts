import { f32, fromFloat64, i64, TemperError, zeros } from "../../core/index.ts";
import { constant, elements, normalizeAxis, type Shape, type Value } from "../../graph/index.ts";
import { dataTypeOf, denseFromSparse, type AttributeProto } from "../../onnx/index.ts";
import { add, addScalar, div, mul } from "../arithmetic.ts";
import { full } from "../broadcast.ts";
import { reduceMean } from "../reduce.ts";
import { reshape } from "../reshape.ts";
import { sqrt, square } from "../unary.ts";
import { attention } from "./attention.ts";
import { axesToInput, clip, pad, resize, slice, split, topK } from "./axes.ts";
import {
  attributeOf,
  describeFileNode,
  type FileNode,
  inputAt,
  knownNumber,
  type Normalize,
  withAttribute,
  withInput,
  without,
} from "./node.ts";

const unsupported = (node: FileNode, why: string): TemperError =>
  new TemperError("unsupported", `${describeFileNode(node)}: ${why}`);

/** Softmax, LogSoftmax and Hardmax before 13: one distribution over all axes from `axis` on. */
const flattened: Normalize = (node, { emit }) => {
  if (node.version >= 13) return node;
  const x = inputAt(node, 0);
  const axis = normalizeAxis(attributeOf(node, "axis", "int") ?? 1, Math.max(1, x.shape.length));
  const wide = x.shape.flatMap((d, i) => (i >= axis && d !== 1 ? [i] : []));
  // One axis longer than 1 (or none): the same as the newer form over that axis alone.
  if (wide.length <= 1) return withAttribute(node, "axis", "int", wide[0] ?? axis);
  const shape: Shape = [elements(x.shape.slice(0, axis)), elements(x.shape.slice(axis))];
  const [y] = emit({ ...withAttribute(node, "axis", "int", 1), inputs: [reshape(x, shape)], outputs: ["y"] });
  return [reshape(y!, x.shape)];
};

/** Outputs of training mode had no attribute before 14; statistics of single positions (`spatial` 0) ended with 9. */
const batchNorm: Normalize = (node, { training }) => {
  if (node.version >= 14) {
    if (!training || attributeOf(node, "training_mode", "int") !== 1) return node;
    if (node.outputs.slice(1).some(Boolean)) throw unsupported(node, "the statistics that it gives are read.");
    return { ...without(node, "training_mode"), outputs: node.outputs.slice(0, 1) };
  }
  if (attributeOf(node, "spatial", "int") === 0 && inputAt(node, 0).shape.length > 2)
    throw unsupported(node, "spatial = 0 (statistics for each position) is not supported.");
  if (node.outputs.slice(1).some(Boolean))
    throw unsupported(node, "its training outputs are read. Export the model in evaluation mode.");
  return { ...without(node, "spatial", "is_test"), outputs: node.outputs.slice(0, 1) };
};

/** Nothing is dropped when a network is used. The ratio became an input at 12. */
const dropout: Normalize = (node, { emit, training, note }) => {
  if (node.outputs[1]) throw unsupported(node, "its mask is read, which only training does.");
  const x = inputAt(node, 0);
  if (training) {
    const ratio = node.version < 12 ? constant(f32([attributeOf(node, "ratio", "float") ?? 0.5], [])) : node.inputs[1];
    return { ...node, inputs: [x, ratio], attributes: {}, outputs: node.outputs.slice(0, 1) };
  }
  if (knownNumber(node.inputs[2]) === 1 || (node.inputs[2] && knownNumber(node.inputs[2]) === undefined))
    note(`${describeFileNode(node)} can drop units in the file (training_mode); it is imported as the identity.`);
  return emit({ ...node, opType: "Identity", inputs: [x], attributes: {}, outputs: ["y"] });
};

/** Group statistics as instance statistics of a regrouped view; scales one a group before 21, one a channel after. */
const groupNorm: Normalize = (node, { emit }) => {
  const x = inputAt(node, 0),
    groups = attributeOf(node, "num_groups", "int") ?? 0;
  const [batch, channels] = x.shape;
  if (batch === undefined || channels === undefined || channels <= 0 || groups < 1 || channels % groups !== 0)
    throw unsupported(node, `${groups} groups do not divide the channels.`);
  const epsilon = { kind: "float", value: attributeOf(node, "epsilon", "float") ?? 1e-5 } as const;
  const [y] = emit({
    ...node,
    opType: "InstanceNormalization",
    inputs: [
      reshape(x, [batch, groups, elements(x.shape.slice(1)) / groups]),
      full([groups], 1),
      constant(zeros("float32", [groups])),
    ],
    attributes: { epsilon },
    outputs: ["y"],
  });
  const spatial = x.shape.slice(2).map(() => 1);
  const perChannel = (v: Value): Value =>
    node.version >= 21
      ? reshape(v, [channels, ...spatial])
      : reshape(mul(reshape(v, [groups, 1]), full([1, channels / groups], 1)), [channels, ...spatial]);
  return [add(mul(reshape(y!, x.shape), perChannel(inputAt(node, 1))), perChannel(inputAt(node, 2)))];
};

/** Cast to the element type of another value. */
const castLike: Normalize = (node) => ({
  ...withAttribute(node, "to", "int", dataTypeOf(inputAt(node, 1).dtype)),
  opType: "Cast",
  inputs: [inputAt(node, 0)],
});

/** An exponent of another type than the base, allowed since 12. */
const pow: Normalize = (node, { emit }) => {
  const x = inputAt(node, 0),
    y = inputAt(node, 1);
  if (x.dtype === y.dtype) return node;
  const to = { kind: "int", value: dataTypeOf(x.dtype) } as const;
  const [exponent] = emit({ ...node, name: "", opType: "Cast", inputs: [y], attributes: { to }, outputs: ["y"] });
  return { ...node, inputs: [x, exponent] };
};

/** The constant that a Constant node holds. */
const constantNode: Normalize = (node) => {
  const [entry, ...rest] = Object.entries(node.attributes);
  if (!entry || rest.length > 0) throw new TemperError("bad-file", `${describeFileNode(node)} must hold one value.`);
  const [key, { kind, value }] = entry;
  if (kind === "tensor") return [constant(value as never, node.name)];
  if (key === "sparse_value")
    return [constant(denseFromSparse((value as AttributeProto).sparseTensor ?? {}, { place: node.name }), node.name)];
  const list = (Array.isArray(value) ? value : [value]) as readonly number[];
  const shape = Array.isArray(value) ? [list.length] : [];
  if (kind === "float" || kind === "floats") return [constant(f32(list, shape), node.name)];
  if (kind === "int" || kind === "ints")
    return [constant(fromFloat64(Float64Array.from(list), "int64", shape), node.name)];
  throw unsupported(node, `constants of kind ${kind} cannot be used in computations.`);
};

/** Names of interpolation modes changed at 20. */
const gridSample: Normalize = (node) => {
  const modes: Readonly<Record<string, string>> = { bilinear: "linear", bicubic: "cubic" };
  const mode = attributeOf(node, "mode", "string") ?? "bilinear";
  return node.version < 20 ? withAttribute(node, "mode", "string", modes[mode] ?? mode) : node;
};

/** The default of where samples lie changed at 16. */
const roiAlign: Normalize = (node) =>
  node.version < 16 ? withAttribute(node, "coordinate_transformation_mode", "string", "output_half_pixel") : node;

/** DFT: `axis` became input 2 at 20, and its default another axis. */
const dft: Normalize = (node) =>
  node.version < 20
    ? withInput(without(node, "axis"), 2, constant(i64([attributeOf(node, "axis", "int") ?? 1], [])))
    : node;

/** x / √(mean x² + epsilon) · scale over the axes from `axis` on. Source: ONNX RMSNormalization, opset 23. */
const rmsNorm: Normalize = (node) => {
  const x = inputAt(node, 0),
    rank = x.shape.length;
  const axis = normalizeAxis(attributeOf(node, "axis", "int") ?? -1, rank);
  const axes = Array.from({ length: rank - axis }, (_, i) => axis + i);
  const root = sqrt(addScalar(reduceMean(square(x), axes, true), attributeOf(node, "epsilon", "float") ?? 1e-5));
  return [mul(div(x, root), inputAt(node, 1))];
};

/** Older and equivalent forms of operators, turned into the opset-20 forms of the records. */
export const normalizations: Readonly<Record<string, Normalize>> = {
  Attention: attention,
  BatchNormalization: batchNorm,
  CastLike: castLike,
  Clip: clip,
  Constant: constantNode,
  DFT: dft,
  Dropout: dropout,
  GridSample: gridSample,
  GroupNormalization: groupNorm,
  Hardmax: flattened,
  LogSoftmax: flattened,
  Pad: pad,
  Pow: pow,
  RMSNormalization: rmsNorm,
  ReduceL1: axesToInput(18),
  ReduceL2: axesToInput(18),
  ReduceLogSum: axesToInput(18),
  ReduceLogSumExp: axesToInput(18),
  ReduceMax: axesToInput(18),
  ReduceMean: axesToInput(18),
  ReduceMin: axesToInput(18),
  ReduceProd: axesToInput(18),
  ReduceSum: axesToInput(13),
  ReduceSumSquare: axesToInput(18),
  Resize: resize,
  RoiAlign: roiAlign,
  Scatter: (node) => ({ ...node, opType: "ScatterElements" }),
  Slice: slice,
  Softmax: flattened,
  Split: split,
  Squeeze: axesToInput(13),
  TopK: topK,
  Unsqueeze: axesToInput(13),
  Upsample: resize,
};
