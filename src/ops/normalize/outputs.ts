import type { ValueType } from "../../graph/index.ts";
import { attributeOf, type FileNode } from "./node.ts";

/** Output types of operators that have no record, for files that do not declare them. */
export type TypeRule = (node: FileNode) => ValueType[] | undefined;

/** States of all steps, then the last ones. */
const recurrent =
  (cells: 1 | 2): TypeRule =>
  (node) => {
    const [x] = node.inputs,
      hidden = attributeOf(node, "hidden_size", "int");
    const [length, batch] = x?.shape ?? [];
    if (!x || length === undefined || batch === undefined || !hidden || attributeOf(node, "layout", "int"))
      return undefined;
    const directions = attributeOf(node, "direction", "string") === "bidirectional" ? 2 : 1;
    const last: ValueType = { dtype: x.dtype, shape: [directions, batch, hidden] };
    const all: ValueType = { dtype: x.dtype, shape: [length, directions, batch, hidden] };
    return cells === 2 ? [all, last, last] : [all, last];
  };

const likeInput: TypeRule = ({ inputs: [x] }) => x && [{ dtype: x.dtype, shape: x.shape }];

/** By domain and name, with a dot between. */
export const outputRules: Readonly<Record<string, TypeRule>> = {
  ".GRU": recurrent(1),
  ".LSTM": recurrent(2),
  ".RNN": recurrent(1),
  "com.microsoft.BiasGelu": likeInput,
  "com.microsoft.FastGelu": likeInput,
  "com.microsoft.Gelu": likeInput,
  "com.microsoft.QuickGelu": likeInput,
};
