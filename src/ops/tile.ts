import { TemperError } from "../core/index.ts";
import {
  attr,
  defineOp,
  type Dim,
  dimOf,
  emit,
  type Extent,
  ints,
  knownExtents,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { reduceSum } from "./broadcast.ts";
import { pick64, transpose64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { transpose } from "./transpose.ts";

const repeated = (shape: Shape, repeats: readonly Extent[]): Shape => {
  if (repeats.length !== shape.length)
    throw new TemperError("bad-shape", `repeats must have ${shape.length} entries, got ${repeats.length}.`);
  return shape.map((d, i): Dim => {
    const times = dimOf(repeats[i]!);
    if (d < 0 && times < 0) throw new TemperError("unsupported", "the batch axis cannot repeat once an example.");
    return d * times;
  });
};

/** x repeated along every axis. Source: ONNX Tile, opset 13. */
export const Tile = defineOp({
  name: "Tile",
  arity: [2, 2],
  infer: ([x, repeats]) => [{ dtype: x.dtype, shape: repeated(x.shape, knownExtents(repeats, "repeats")) }],
  // Every axis splits into (repetition, position); the sum over repetitions is left.
  vjp: ({ g, inputs: [x, repeats] }) => {
    const times = knownExtents(repeats, "repeats").map(dimOf);
    const pairs = x.shape.flatMap((d, i) => (times[i] === 1 ? [d] : [times[i]!, d]));
    const axes = x.shape.flatMap((_, i) => (times[i] === 1 ? [] : [i]));
    return [
      reduceSum(
        reshape(g, pairs),
        axes.map((axis, k) => axis + k),
      ),
    ];
  },
  reference: ([x, repeats]) => {
    const shape = repeated(x.shape, Array.from(repeats.data));
    const maps = shape.map((d, i) => Array.from({ length: d }, (_, k) => k % x.shape[i]!));
    return [pick64(x, maps)];
  },
});

/** Splits into blocks, moves axes, joins again: the form that both block operators share. */
const blocks = (
  x: Shape,
  block: number,
  toSpace: boolean,
  mode: string,
): { readonly apart: Shape; readonly order: readonly number[]; readonly joined: Shape } => {
  if (x.length !== 4 || block < 1)
    throw new TemperError("bad-shape", `wants [N, C, H, W] and a blocksize from 1, got rank ${x.length} and ${block}.`);
  const [n, c, h, w] = x as readonly [Dim, Dim, Dim, Dim];
  const sizes = toSpace ? [c / block ** 2] : [h / block, w / block];
  if (!sizes.every(Number.isInteger) || [c, h, w].some((d) => d < 0))
    throw new TemperError("bad-shape", `sizes must be known and divisible by blocksize ${block}.`);
  if (!toSpace)
    return {
      apart: [n, c, h / block, block, w / block, block],
      order: [0, 3, 5, 1, 2, 4],
      joined: [n, c * block ** 2, h / block, w / block],
    };
  const depth = c / block ** 2;
  if (mode !== "DCR" && mode !== "CRD") throw new TemperError("unsupported", `mode must be DCR or CRD, got ${mode}.`);
  return {
    apart: mode === "DCR" ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w],
    order: mode === "DCR" ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3],
    joined: [n, depth, h * block, w * block],
  };
};

/** Channels to blocks of pixels. Source: ONNX DepthToSpace, opset 13. */
export const DepthToSpace = defineOp({
  name: "DepthToSpace",
  arity: [1, 1],
  attributes: { blocksize: attr.int(), mode: attr.string("DCR") },
  infer: ([x], { blocksize, mode }) => [{ dtype: x.dtype, shape: blocks(x.shape, blocksize ?? 0, true, mode).joined }],
  vjp: ({ g, inputs: [x], attributes: { blocksize, mode } }) => {
    if (mode === "DCR") return [spaceToDepth(g, blocksize!)];
    const { apart, order } = blocks(x.shape, blocksize!, true, mode);
    const moved = reshape(
      g,
      order.map((axis) => apart[axis]!),
    );
    return [
      reshape(
        transpose(
          moved,
          order.map((_, i) => order.indexOf(i)),
        ),
        x.shape,
      ),
    ];
  },
  reference: ([x], { blocksize, mode }) => {
    const { apart, order, joined } = blocks(x.shape, blocksize!, true, mode);
    return [{ ...transpose64({ ...x, shape: apart }, order), shape: joined }];
  },
});

/** Blocks of pixels to channels. Source: ONNX SpaceToDepth, opset 13. */
export const SpaceToDepth = defineOp({
  name: "SpaceToDepth",
  arity: [1, 1],
  attributes: { blocksize: attr.int() },
  infer: ([x], { blocksize }) => [{ dtype: x.dtype, shape: blocks(x.shape, blocksize ?? 0, false, "DCR").joined }],
  vjp: ({ g, attributes: { blocksize } }) => [depthToSpace(g, blocksize!)],
  reference: ([x], { blocksize }) => {
    const { apart, order, joined } = blocks(x.shape, blocksize!, false, "DCR");
    return [{ ...transpose64({ ...x, shape: apart }, order), shape: joined }];
  },
});

/** x repeated along every axis. */
export const tile = (x: Value, repeats: readonly number[]): Value => emit(Tile, [x, ints(repeats)]);
export const depthToSpace = (x: Value, blocksize: number): Value => emit(DepthToSpace, [x], { blocksize });
export const spaceToDepth = (x: Value, blocksize: number): Value => emit(SpaceToDepth, [x], { blocksize });
