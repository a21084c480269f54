import type { Tensor } from "../core/index.ts";
import { type Graph, graphNodes, Input, type Node, type Value } from "../graph/index.ts";
import type { Role } from "../nn/index.ts";

/** What a tensor is to the node that reads it. */
type Part = Role | "mean" | "variance";

/** By operator: what its inputs are; one word stands for all of them. Other inputs hold no weights. */
const PARTS: Readonly<Record<string, Part | readonly (Part | undefined)[]>> = {
  Add: "bias",
  BatchNormalization: [undefined, "scale", "bias", "mean", "variance"],
  Concat: "bias",
  Conv: [undefined, "weight", "bias"],
  ConvTranspose: [undefined, "weight", "bias"],
  Einsum: "weight",
  Gather: ["weight"],
  Gemm: ["weight", "weight", "bias"],
  GroupNormalization: [undefined, "scale", "bias"],
  InstanceNormalization: [undefined, "scale", "bias"],
  LayerNormalization: [undefined, "scale", "bias"],
  LSTM: [undefined, "weight", "weight", "bias", undefined, undefined, undefined, "weight"],
  MatMul: "weight",
  Mul: "scale",
  PRelu: [undefined, "scale"],
  Sum: "bias",
};
/** Operators that a constant beside the data may steer; a single number there is no weight. */
const ARITHMETIC: ReadonlySet<string> = new Set(["Add", "Concat", "Gather", "Mul", "Sum"]);
/** Operators of which pixels come out, only on another scale or in another place. */
const ON_PIXELS: ReadonlySet<string> = new Set([
  ..."Add Sub Mul Div Sum Neg Sqrt Pow Clip Cast Identity Transpose Reshape Flatten Squeeze Unsqueeze".split(" "),
  ..."Slice Pad Concat Gather Resize Split Min Max Expand Tile".split(" "),
]);

/** In a Constant node, or as a sparse tensor. */
export type Place = "node" | "sparse";

/** A batch normalization that can work in training mode, by the names of its statistics. */
export interface Statistics {
  readonly mean: string;
  readonly variance: string;
}
export interface FileWeights {
  readonly roles: ReadonlyMap<string, Role>;
  readonly statistics: ReadonlyMap<Node, Statistics>;
  /** Names of scales and shifts that only those normalizations read. */
  readonly ofBatchNorms: ReadonlySet<string>;
  /** Names of float tensors that stay as they are, by the reason. */
  readonly fixed: ReadonlyMap<string, readonly string[]>;
}

/** One reading of a tensor by a node that sees data. */
interface Use {
  readonly node: Node;
  readonly index: number;
  readonly part: Part | undefined;
  /** Nothing but arithmetic has happened to the pixels yet. */
  readonly onPixels: boolean;
}

/**
 * Which float tensors of a file are weights, by how the scores depend on them.
 *
 * @param graph    an imported network: its first input is the data, the others are tensors of the file
 * @param tensors  those tensors by name
 * @param places   where tensors are stored, by name, unless in plain initializers
 */
export const findWeights = (
  graph: Graph,
  tensors: Readonly<Record<string, Tensor>>,
  places: ReadonlyMap<string, Place>,
): FileWeights => {
  const names = new Set(Object.keys(tensors));
  const uses = usesOf(graph, names),
    { reached, barred } = differentiable(graph);
  const statistics = statisticsOf(graph, uses, places),
    moving = new Set([...statistics.values()].flatMap(({ mean, variance }) => [mean, variance]));
  const roles = new Map<string, Role>(),
    fixed = new Map<string, string[]>();
  for (const v of graph.inputs.filter(({ node }) => names.has(node.name) && !moving.has(node.name))) {
    const found = roleOf(v, uses.get(v.node.name) ?? [], reached, barred);
    const why = misplaced(places.get(v.node.name), tensors[v.node.name]!, found.role) ?? found.why;
    if (found.role && why === "") roles.set(v.node.name, found.role);
    else fixed.set(why, [...(fixed.get(why) ?? []), v.node.name]);
  }
  const ofBatchNorms = new Set(
    [...roles.keys()].filter((name) => uses.get(name)!.every(({ node }) => statistics.has(node))),
  );
  return { roles, statistics, ofBatchNorms, fixed };
};

/** Why a tensor is no weight, from where it lies: exporters fill in scales and biases that a network does not have. */
const misplaced = (place: Place | undefined, { data }: Tensor, role: Role | undefined): string | undefined => {
  if (place === "sparse") return "stored sparse";
  const filler = role === "scale" ? 1 : 0;
  return place === "node" && role !== "weight" && data.every((v) => v === filler)
    ? "constants that do nothing"
    : undefined;
};

const roleOf = (
  v: Value,
  uses: readonly Use[],
  reached: ReadonlySet<Value>,
  barred: ReadonlyMap<Value, string>,
): { readonly role?: Role; readonly why: string } => {
  const bar = barred.get(v);
  if (bar !== undefined) return { why: `gradients do not pass ${bar}` };
  if (!reached.has(v)) return { why: "no gradient reaches them" };
  const parts = new Set(uses.map(({ part }) => part));
  if (parts.has("mean") || parts.has("variance")) return { why: "statistics that are shared, or not stored as such" };
  if (uses.some(({ onPixels }) => onPixels)) return { why: "arithmetic on pixels before the first layer" };
  const single = v.shape.every((d) => d === 1);
  const roles = uses.flatMap(({ node, part }) => (part && !(single && ARITHMETIC.has(node.op.name)) ? [part] : []));
  const role = (["weight", "scale", "bias"] as const).find((r) => roles.includes(r));
  return role ? { role, why: "" } : { why: "constants of arithmetic" };
};

/** Where tensors, or what is computed of tensors alone, meet the data. */
const usesOf = (graph: Graph, names: ReadonlySet<string>): Map<string, Use[]> => {
  const sources = new Map<Value, ReadonlySet<string>>(),
    data = new Set<Value>(),
    pixels = new Set<Value>(),
    uses = new Map<string, Use[]>([...names].map((name) => [name, []]));
  for (const v of graph.inputs) {
    if (names.has(v.node.name)) sources.set(v, new Set([v.node.name]));
    else for (const set of [data, pixels]) set.add(v);
  }
  for (const node of graphNodes(graph)) {
    if (node.op === Input) continue;
    const inputs = node.inputs.flatMap((v) => v ?? []);
    if (!inputs.some((v) => data.has(v))) {
      const all = new Set(inputs.flatMap((v) => [...(sources.get(v) ?? [])]));
      for (const y of node.outputs) sources.set(y, all);
      continue;
    }
    const onPixels = ON_PIXELS.has(node.op.name) && inputs.every((v) => !data.has(v) || pixels.has(v));
    for (const y of node.outputs) data.add(y);
    if (onPixels) for (const y of node.outputs) pixels.add(y);
    node.inputs.forEach((v, index) => {
      for (const name of (v && sources.get(v)) ?? [])
        uses.get(name)!.push({ node, index, part: partOf(node, index), onPixels });
    });
  }
  return uses;
};

const partOf = ({ op }: Node, index: number): Part | undefined => {
  const parts = op.domain === "" && Object.hasOwn(PARTS, op.name) ? PARTS[op.name]! : [];
  return typeof parts === "string" ? parts : parts[index];
};

/** Values that the scores depend on differentiably, and those that only reach them through an operator without a rule. */
const differentiable = (
  graph: Graph,
): { readonly reached: ReadonlySet<Value>; readonly barred: ReadonlyMap<Value, string> } => {
  const reached = new Set(Object.values(graph.outputs)),
    barred = new Map<Value, string>();
  for (const node of graphNodes(graph).toReversed()) {
    if (node.op.zeroGradient !== undefined || !node.outputs.some((v) => reached.has(v) || barred.has(v))) continue;
    const bar = node.op.vjp ? node.outputs.map((v) => barred.get(v)).find(Boolean) : `${node.op.name} "${node.name}"`;
    for (const v of node.inputs) {
      if (!v?.dtype.includes("float")) continue;
      reached.add(v);
      if (bar !== undefined) barred.set(v, bar);
    }
  }
  return { reached, barred };
};

/** The tensor that a value is a plain copy of. */
const stored = (v: Value | undefined): string | undefined =>
  v?.node.op.name === "Identity" ? stored(v.node.inputs[0]) : v?.node.op === Input ? v.node.name : undefined;

/** Normalizations of the data whose statistics are tensors of the file that nothing else reads. */
const statisticsOf = (
  graph: Graph,
  uses: ReadonlyMap<string, readonly Use[]>,
  places: ReadonlyMap<string, Place>,
): Map<Node, Statistics> => {
  const free = (name: string): boolean => uses.get(name)?.length === 1 && places.get(name) !== "sparse";
  const found = new Map<Node, Statistics>();
  for (const node of graphNodes(graph)) {
    if (node.op.name !== "BatchNormalization" || node.op.domain !== "") continue;
    const [mean, variance] = [stored(node.inputs[3]), stored(node.inputs[4])];
    if (mean === undefined || variance === undefined) continue;
    if (free(mean) && free(variance)) found.set(node, { mean, variance });
  }
  return found;
};
