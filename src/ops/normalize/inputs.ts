import { TemperError } from "../../core/index.ts";
import { BATCH, type Dim, type Shape, type ValueType } from "../../graph/index.ts";
import { dataTypeName, type DimensionProto, dtypeOf, type ValueInfoProto } from "../../onnx/index.ts";

/** Sizes of a file's symbolic axes: which stand for the batch, and which the caller has fixed. */
export interface Symbols {
  readonly batch: ReadonlySet<string>;
  readonly sizes: Readonly<Record<string, number>>;
}

const FAMILY = /^([1-9]\d*)N$/;

/** Name of a symbolic axis and how many times it counts (`4N`); undefined for a fixed one. Unnamed: `x[2]`. */
const symbolOf = (
  dim: DimensionProto,
  input: string,
  axis: number,
): { readonly name: string; readonly times: number } | undefined => {
  const { dimValue = 0, dimParam = "" } = dim;
  if (dimValue > 0) return undefined;
  const family = FAMILY.exec(dimParam);
  return family ? { name: "N", times: Number(family[1]) } : { name: dimParam || `${input}[${axis}]`, times: 1 };
};

/** Dimensions of an input; none for a scalar, whose shape is present but empty. Undefined where the file has no shape. */
const dimsOf = (info: ValueInfoProto): readonly DimensionProto[] | undefined => {
  const shape = info.type?.tensorType?.shape;
  return shape && (shape.dim ?? []);
};

/**
 * Which symbolic axes of the inputs are the batch: those in front, and others of the same name; if none is in front,
 * the only symbol there is.
 *
 * @param sizes  sizes that the caller gives to symbolic axes, by name, or as `x[2]` where the file has no name
 * @throws TemperError `bad-option`: a size for an axis that does not exist, or one that is no positive integer
 */
export const findSymbols = (inputs: readonly ValueInfoProto[], sizes: Readonly<Record<string, number>>): Symbols => {
  const found = inputs.flatMap((info) =>
    (dimsOf(info) ?? []).flatMap((dim, axis) => {
      const symbol = symbolOf(dim, info.name ?? "", axis);
      return symbol ? [{ name: symbol.name, axis }] : [];
    }),
  );
  const names = new Set(found.map(({ name }) => name));
  for (const [name, size] of Object.entries(sizes)) {
    if (!names.has(name))
      throw new TemperError(
        "bad-option",
        `importModel: dims names "${name}", but the symbolic axes of the inputs are: ${[...names].join(", ") || "none"}.`,
      );
    if (!Number.isSafeInteger(size) || size < 1)
      throw new TemperError("bad-option", `importModel: dims.${name} must be a positive integer, got ${String(size)}.`);
  }
  const open = found.filter(({ name }) => !Object.hasOwn(sizes, name));
  const front = open.filter(({ axis }) => axis === 0);
  return { batch: new Set((front.length > 0 ? front : onlyOne(open)).map(({ name }) => name)), sizes };
};
const onlyOne = <T extends { readonly name: string }>(open: readonly T[]): readonly T[] =>
  new Set(open.map(({ name }) => name)).size === 1 ? open : [];

/** Size of an axis, or undefined where it is symbolic and neither the batch nor fixed. */
const resolve = (dim: DimensionProto, place: string, axis: number, { batch, sizes }: Symbols): Dim | undefined => {
  const symbol = symbolOf(dim, place, axis);
  if (!symbol) return dim.dimValue;
  if (Object.hasOwn(sizes, symbol.name)) return sizes[symbol.name]! * symbol.times;
  return batch.has(symbol.name) ? BATCH * symbol.times : undefined;
};

/** Type of a data input. @throws TemperError `unsupported` naming the axis and the remedy */
export const inputType = (info: ValueInfoProto, symbols: Symbols): ValueType => {
  const name = info.name ?? "";
  const dtype = tensorType(info, `Input "${name}"`);
  const dims = dimsOf(info);
  if (!dims)
    throw new TemperError(
      "unsupported",
      `Input "${name}" has no shape in the file. Export the model again with the shapes of its inputs.`,
    );
  const shape = dims.map((dim, axis) => {
    const size = resolve(dim, name, axis, symbols);
    if (size !== undefined) return size;
    const symbol = symbolOf(dim, name, axis)!.name;
    throw new TemperError(
      "unsupported",
      `Input "${name}": axis ${axis} is symbolic ("${symbol}"), and only the batch axis may be. Give its size: dims: { ${JSON.stringify(symbol)}: ... }.`,
    );
  });
  if (shape.filter((d) => d < 0).length > 1)
    throw new TemperError(
      "unsupported",
      `Input "${name}" has the batch size on two axes. Give its size: dims: { ${JSON.stringify([...symbols.batch][0])}: ... }.`,
    );
  return { dtype, shape };
};

const tensorType = (info: ValueInfoProto, who: string): ValueType["dtype"] => {
  const code = info.type?.tensorType?.elemType;
  const dtype = dtypeOf(code ?? 0);
  if (dtype) return dtype;
  const what = info.type?.tensorType ? `a tensor of ${dataTypeName(code)}` : "no dense tensor";
  throw new TemperError("unsupported", `${who} is ${what}, which Temper cannot compute with.`);
};

/** Type that the file declares for an inner value, or undefined where it leaves something open. */
export const declaredType = (info: ValueInfoProto | undefined, symbols: Symbols): ValueType | undefined => {
  const dims = info && dimsOf(info);
  const dtype = dtypeOf(info?.type?.tensorType?.elemType ?? 0);
  if (!dims || !dtype) return undefined;
  const shape: (Dim | undefined)[] = dims.map((dim, axis) => resolve(dim, info.name ?? "", axis, symbols));
  return shape.every((d) => d !== undefined) && shape.filter((d) => d < 0).length <= 1
    ? { dtype, shape: shape as Shape }
    : undefined;
};
