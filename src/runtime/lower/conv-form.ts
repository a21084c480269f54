import type { Node } from "../../graph/index.ts";

/** Where a convolution, or one of its gradients, takes its windows. */
export interface ConvForm {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before each axis, then behind each. */
  readonly pads: readonly number[];
  readonly group: number;
  readonly outputPadding: readonly number[];
}

/**
 * The attributes of a Conv, ConvTranspose or ConvWeightGrad over so many spatial axes, with their defaults; undefined
 * where pads follow from something else (`auto_pad`, `output_shape`).
 */
export const convForm = ({ attributes }: Node, axes: number): ConvForm | undefined => {
  const { strides, dilations, pads, output_padding, output_shape, group, auto_pad } = attributes as Readonly<
    Record<string, unknown>
  >;
  if (output_shape || (auto_pad !== undefined && auto_pad !== "NOTSET")) return undefined;
  const list = (given: unknown, count: number, value: number): readonly number[] =>
    (given as readonly number[] | undefined) ?? Array<number>(count).fill(value);
  return {
    strides: list(strides, axes, 1),
    dilations: list(dilations, axes, 1),
    pads: list(pads, 2 * axes, 0),
    group: (group as number | undefined) ?? 1,
    outputPadding: list(output_padding, axes, 0),
  };
};

/** Whether all entries are `value`. */
export const all = (list: readonly number[], value: number): boolean => list.every((v) => v === value);
