import { formatShape, sizeOf, TemperError } from "../core/index.ts";
import { attr, broadcastShapes, defineOp, elements, emit, type Shape, type Value } from "../graph/index.ts";
import { scale } from "./arithmetic.ts";
import { sumTo } from "./broadcast.ts";
import { addProduct } from "./kernels.ts";
import { broadcastStrides, walk, zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { transpose } from "./transpose.ts";

/** Both operands as stacks of matrices: a vector on the left is a row, on the right a column. */
const asMatrices = (a: Shape, b: Shape): { a: Shape; b: Shape } => {
  if (a.length === 0 || b.length === 0)
    throw new TemperError("bad-shape", `wants vectors or matrices, got ${formatShape(a)} and ${formatShape(b)}.`);
  const pair = { a: a.length === 1 ? [1, ...a] : a, b: b.length === 1 ? [...b, 1] : b };
  if (pair.a.at(-1) !== pair.b.at(-2))
    throw new TemperError("bad-shape", `inner sizes of ${formatShape(a)} and ${formatShape(b)} must agree.`);
  return pair;
};

const productShape = (a: Shape, b: Shape): Shape => {
  const pair = asMatrices(a, b);
  const stack = broadcastShapes(pair.a.slice(0, -2), pair.b.slice(0, -2));
  return [...stack, ...(a.length === 1 ? [] : [pair.a.at(-2)!]), ...(b.length === 1 ? [] : [pair.b.at(-1)!])];
};

/** Matrix product of stacks of matrices; leading axes broadcast, vectors gain an axis. Source: ONNX MatMul. */
export const MatMul = defineOp({
  name: "MatMul",
  arity: [2, 2],
  infer: ([a, b]) => {
    if (a.dtype !== b.dtype)
      throw new TemperError("bad-shape", `operands must have one element type, got ${a.dtype} and ${b.dtype}.`);
    return [{ dtype: a.dtype, shape: productShape(a.shape, b.shape) }];
  },
  vjp: ({ g, inputs: [a, b] }) => {
    const pair = asMatrices(a.shape, b.shape);
    const x = reshape(a, pair.a),
      y = reshape(b, pair.b),
      dz = reshape(g, [...broadcastShapes(pair.a.slice(0, -2), pair.b.slice(0, -2)), x.shape.at(-2)!, y.shape.at(-1)!]);
    const [dx, dy] = y.shape.length === 2 ? sharedRight(x, y, dz) : stacked(x, y, dz);
    return [reshape(dx, a.shape), reshape(dy, b.shape)];
  },
  reference: ([a, b]) => {
    const pair = asMatrices(a.shape, b.shape);
    const [m, k, n] = [pair.a.at(-2)!, pair.a.at(-1)!, pair.b.at(-1)!];
    const stack = broadcastShapes(pair.a.slice(0, -2), pair.b.slice(0, -2));
    const out = zeros64(productShape(a.shape, b.shape), a.dtype);
    const strides = [pair.a, pair.b].map((s) => broadcastStrides(s.slice(0, -2), stack));
    walk(stack, strides, (i, [p, q]) =>
      addProduct(out.data, i * m * n, { data: a.data, at: p! * m * k }, { data: b.data, at: q! * k * n }, m, k, n),
    );
    return [out];
  },
});

/** One right matrix for all rows of x: one product each, where the stack joins the rows. dX = G Yᵀ, dY = Xᵀ G. */
const sharedRight = (x: Value, y: Value, g: Value): [Value, Value] => {
  const rows = (v: Value): Value => reshape(v, [elements(v.shape.slice(0, -1)), v.shape.at(-1)!]);
  return [
    reshape(gemm(rows(g), y, undefined, { transB: 1 }), x.shape),
    gemm(rows(x), rows(g), undefined, { transA: 1 }),
  ];
};
const stacked = (x: Value, y: Value, g: Value): [Value, Value] => [
  sumTo(matmul(g, swapLast(y)), x),
  sumTo(matmul(swapLast(x), g), y),
];

/** The last two axes exchanged. */
export const swapLast = (x: Value): Value => {
  const axes = x.shape.map((_, i) => i);
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};

/** A product of matrices, vectors or stacks of them. */
export const matmul = (a: Value, b: Value): Value => emit(MatMul, [a, b]);

const gemmSizes = (a: Shape, b: Shape, transA: number, transB: number): [number, number, number] => {
  const [m, k] = transA ? [a[1], a[0]] : a,
    [kb, n] = transB ? [b[1], b[0]] : b;
  if (a.length !== 2 || b.length !== 2 || k !== kb)
    throw new TemperError(
      "bad-shape",
      `matrices ${formatShape(a)}${transA ? "ᵀ" : ""} and ${formatShape(b)}${transB ? "ᵀ" : ""} do not fit.`,
    );
  return [m!, k!, n!];
};

/** alpha A' B' + beta C: A' [m, k], B' [k, n], C broadcast to [m, n]. Source: ONNX Gemm, opset 13. */
export const Gemm = defineOp({
  name: "Gemm",
  arity: [2, 3],
  attributes: { alpha: attr.float(1), beta: attr.float(1), transA: attr.int(0), transB: attr.int(0) },
  infer: ([a, b, c], { transA, transB }) => {
    const [m, , n] = gemmSizes(a.shape, b.shape, transA, transB);
    const joined = c ? broadcastShapes(c.shape, [m, n]) : [m, n];
    if (joined.length !== 2 || joined[0] !== m || joined[1] !== n)
      throw new TemperError("bad-shape", `${formatShape(c!.shape)} does not broadcast to ${formatShape([m, n])}.`);
    return [{ dtype: a.dtype, shape: [m, n] }];
  },
  vjp: ({ g, inputs: [a, b, c], attributes: { alpha, beta, transA, transB } }) => [
    transA
      ? gemm(b, g, undefined, { alpha, transA: transB, transB: 1 }) // A stored transposed: dA = B' Gᵀ
      : gemm(g, b, undefined, { alpha, transB: 1 - transB }), // dA = G B'ᵀ
    transB
      ? gemm(g, a, undefined, { alpha, transA: 1, transB: transA }) // dB = Gᵀ A'
      : gemm(a, g, undefined, { alpha, transA: 1 - transA }), // dB = A'ᵀ G
    c && scale(sumTo(g, c), beta),
  ],
  reference: ([a, b, c], { alpha, beta, transA, transB }) => {
    const [m, k, n] = gemmSizes(a.shape, b.shape, transA, transB);
    const out = zeros64([m, n], a.dtype);
    const left = { data: a.data, at: 0, transposed: transA === 1 },
      right = { data: b.data, at: 0, transposed: transB === 1 };
    addProduct(out.data, 0, left, right, m, k, n);
    if (alpha !== 1) for (let i = 0; i < sizeOf([m, n]); i++) out.data[i]! *= alpha;
    if (c && beta !== 0)
      walk([m, n], [broadcastStrides(c.shape, [m, n])], (i, [at]) => {
        out.data[i]! += beta * c.data[at!]!;
      });
    return [out];
  },
});

/** A B, plus C where it is given. @param options  alpha, beta, transA, transB as in ONNX */
export const gemm = (
  a: Value,
  b: Value,
  c?: Value,
  options: { alpha?: number; beta?: number; transA?: number; transB?: number } = {},
): Value => emit(Gemm, c ? [a, b, c] : [a, b], options);
