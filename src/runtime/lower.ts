import { fromFloat64, sizeOf, type Tensor, toFloat64 } from "../core/index.ts";
import {
  constant,
  constantOf,
  emit,
  foldConstants,
  type Graph,
  mergeCommon,
  type Node,
  rewrite,
  simplify,
} from "../graph/index.ts";
import { Conv, decomposeInternal } from "../ops/index.ts";

/** Below this many input channels ConvTranspose beats a convolution with flipped weights (engine measurements). */
const MIN_FLIP_CHANNELS = 8;

/**
 * The data gradient of a stride-1 convolution, as a convolution with the weights flipped in space and with their
 * channels exchanged: the runtime's fastest kernel, where ConvTranspose multiplies and then scatters.
 */
const flipStride1 = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => {
    if (node.op.name !== "ConvTranspose" || inputs.length > 2) return undefined;
    const weights = constantOf(inputs[1]);
    const pads = weights && stride1Pads(node, weights);
    if (!weights || !pads || weights.shape[1]! < MIN_FLIP_CHANNELS) return undefined;
    const { dilations, kernel_shape } = node.attributes;
    const flipped = constant(flip(weights));
    return [
      emit(
        Conv,
        [inputs[0], flipped],
        { pads, dilations, kernel_shape } as Record<string, readonly number[]>,
        node.name,
      ),
    ];
  });

/** Pads of the equivalent convolution, d (k - 1) - p, or undefined where there is none. */
const stride1Pads = (node: Node, weights: Tensor): number[] | undefined => {
  const { strides, pads, dilations, group, output_padding, output_shape, auto_pad } = node.attributes as Record<
    string,
    readonly number[] & number & string
  >;
  const spatial = weights.shape.slice(2);
  if (
    (strides as readonly number[] | undefined)?.some((s) => s !== 1) ||
    group !== 1 ||
    output_shape ||
    (output_padding as readonly number[] | undefined)?.some((p) => p !== 0)
  )
    return undefined;
  if ((auto_pad as unknown as string) && (auto_pad as unknown as string) !== "NOTSET") return undefined;
  const out = [...spatial, ...spatial].map(
    (k, i) =>
      ((dilations as readonly number[] | undefined)?.[i % spatial.length] ?? 1) * (k - 1) -
      ((pads as readonly number[] | undefined)?.[i] ?? 0),
  );
  return out.every((p) => p >= 0) ? out : undefined;
};

/** [I, O, ...k] -> [O, I, ...reversed k]. */
const flip = (weights: Tensor): Tensor => {
  const [rows, columns, ...kernel] = weights.shape as [number, number, ...number[]];
  const taps = sizeOf(kernel),
    from = toFloat64(weights),
    to = new Float64Array(from.length);
  for (let i = 0; i < rows; i++)
    for (let o = 0; o < columns; o++)
      for (let t = 0; t < taps; t++) to[(o * rows + i) * taps + t] = from[(i * columns + o) * taps + taps - 1 - t]!;
  return fromFloat64(to, weights.dtype, [columns, rows, ...kernel]);
};

/**
 * The portable lowering for ONNX Runtime on CPUs: simplification, internal operators written out, data gradients of
 * stride-1 convolutions as convolutions. Changes nothing but time (and rounding).
 */
export const lowerForCpu = (graph: Graph): Graph =>
  mergeCommon(foldConstants(decomposeInternal(flipStride1(simplify(graph)))));
