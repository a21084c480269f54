import { type Tensor } from "../../core/index.ts";
import { constant, emit, ints, type Value } from "../../graph/index.ts";
import { add, scalarLike, scale } from "../arithmetic.ts";
import { Expand } from "../broadcast.ts";
import { and, where } from "../compare.ts";
import { matmul } from "../matmul.ts";
import { reshape } from "../reshape.ts";
import { softmax } from "../softmax.ts";
import { transpose } from "../transpose.ts";
import { attributeOf, type FileNode, inputAt, type Normalize } from "./node.ts";

/** [n, length, heads · size] as [n, heads, length, size]; four axes stay as they are. */
const inHeads = (v: Value, heads: number | undefined): Value | undefined => {
  if (v.shape.length === 4) return v;
  const [n, length, width] = v.shape;
  if (v.shape.length !== 3 || !heads || width! < 0 || width! % heads !== 0) return undefined;
  return transpose(reshape(v, [n!, length!, heads, width! / heads]), [0, 2, 1, 3]);
};

/** Each head `times` times, side by side. */
const repeated = (v: Value, times: number): Value => {
  if (times === 1) return v;
  const [n, heads, length, size] = v.shape as [number, number, number, number];
  const wide = emit(Expand, [reshape(v, [n, heads, 1, length, size]), ints([1, 1, times, 1, 1])]);
  return reshape(wide, [n, heads * times, length, size]);
};

/** Which keys a query may see: those up to its own position. */
const causal = (queries: number, keys: number): Value => {
  const data = Uint8Array.from({ length: queries * keys }, (_, i) => (i % keys <= Math.floor(i / keys) ? 1 : 0));
  return constant({ dtype: "bool", shape: [queries, keys], data } as Tensor);
};

/** What this file writes out: no cache of past keys, no cap, one output. Other forms stay one operator. */
const isPlain = (node: FileNode): boolean =>
  !node.inputs.slice(4).some(Boolean) &&
  !node.outputs.slice(1).some(Boolean) &&
  !attributeOf(node, "softcap", "float") &&
  attributeOf(node, "softmax_precision", "int") === undefined;

interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}
const headsOf = (node: FileNode): Heads | undefined => {
  const kvHeads = attributeOf(node, "kv_num_heads", "int");
  const q = inHeads(inputAt(node, 0), attributeOf(node, "q_num_heads", "int"));
  const k = inHeads(inputAt(node, 1), kvHeads),
    v = inHeads(inputAt(node, 2), kvHeads);
  if (!q || !k || !v || [q, k, v].some(({ shape }) => shape.slice(1).some((d) => d <= 0))) return undefined;
  const times = q.shape[1]! / k.shape[1]!;
  return Number.isInteger(times) ? { q, k: repeated(k, times), v: repeated(v, times) } : undefined;
};

/** softmax(Q Kᵀ scale + mask) V in plain operators, so that it has gradients. Source: ONNX Attention, opset 23. */
export const attention: Normalize = (node) => {
  const heads = isPlain(node) ? headsOf(node) : undefined;
  const mask = node.inputs[3];
  if (!heads) return node;
  const { q, k, v } = heads;
  const queries = q.shape[2]!,
    keys = k.shape[2]!;
  if (mask && mask.shape.at(-1) !== keys && mask.shape.at(-1) !== 1) return node;
  const factor = attributeOf(node, "scale", "float") ?? 1 / Math.sqrt(q.shape[3]!);
  const raw = scale(matmul(q, transpose(k, [0, 1, 3, 2])), factor);
  const scores = mask && mask.dtype !== "bool" ? add(raw, mask) : raw;
  const seen = [
    ...(mask?.dtype === "bool" ? [mask] : []),
    ...(attributeOf(node, "is_causal", "int") ? [causal(queries, keys)] : []),
  ].reduce<Value | undefined>((a, b) => (a ? and(a, b) : b), undefined);
  const y = matmul(seen ? masked(scores, seen) : softmax(scores), v);
  const [n, count, , size] = y.shape as [number, number, number, number];
  if (inputAt(node, 0).shape.length === 4) return [y];
  return [reshape(transpose(y, [0, 2, 1, 3]), [n, queries, count * size])];
};

/** A query that sees nothing gets zeros, not NaN: hence a finite number for what is hidden, and zeros afterwards. */
const masked = (scores: Value, seen: Value): Value => {
  const hidden = where(seen, scores, scalarLike(scores, -1e30));
  return where(seen, softmax(hidden), scalarLike(scores, 0));
};
