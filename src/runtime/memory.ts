import { DTYPES, sizeOf } from "../core/index.ts";
import { concretize, Constant, type Graph, graphNodes, Input, type Node, type Value } from "../graph/index.ts";
import { Loop, Scan } from "../ops/index.ts";

/** When a value that a run makes is there, and where. Steps count nodes in {@link executionOrder}. */
export interface Lifetime {
  readonly value: Value;
  /** 0 where it takes no memory of its own. */
  readonly bytes: number;
  /** Steps of its making and of its last reading (outputs: beyond all steps); what it shares its memory with may need it for longer. */
  readonly first: number;
  readonly last: number;
  /** The value whose memory it takes over or looks at. */
  readonly inPlaceOf: Value | undefined;
}

/** What one run of a graph needs. Sizes are those of the elements, without what the allocator loses. */
export interface MemoryPlan {
  /**
   * Weights, and what follows from them alone, which the runtime computes once; what is fed; what is fetched, which the
   * caller gets as a copy.
   */
  readonly constantBytes: number;
  /** Constants as they stand in the graph, before that. */
  readonly fileBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Most that the values made by the run take together, and the node during which they do. */
  readonly peakBytes: number;
  readonly peakNode: Node | undefined;
  readonly peakStep: number;
  /** What is there then and has memory of its own, largest first. */
  readonly atPeak: readonly Lifetime[];
  /** Of every value that the run makes, in the order of their making. */
  readonly lifetimes: readonly Lifetime[];
}

/** Operators whose output is another view of their first input. */
const VIEWS = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"]);
export const isView = ({ op }: Node): boolean => VIEWS.has(op.name);

/** Inputs over which ONNX Runtime may write an operator's output, where nothing else needs them any more. */
const IN_PLACE: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(["Add", "Sub", "Mul", "Div"].map((name) => [name, [0, 1]])),
  ...Object.fromEntries(
    // prettier-ignore
    ["Abs", "Cast", "Ceil", "Clip", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg", "Not", "Reciprocal",
      "Relu", "Sigmoid", "Softplus", "Sqrt", "Sum", "Tanh"].map((name) => [name, [0]]),
  ),
  Conv: [3], // the sum input that blocked convolutions have
};

/** Nodes as ONNX Runtime takes them: depth first, from the last node that no other reads. */
export const executionOrder = (graph: Graph): Node[] => {
  const nodes = graphNodes(graph),
    read = new Set(nodes.flatMap(({ inputs }) => inputs.map((v) => v?.node)));
  const order: Node[] = [],
    entered = new Set<Node>(),
    stack = nodes.filter((node) => !read.has(node)).map((node) => ({ node, ready: false }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { node, ready } = top;
    if (ready) order.push(node);
    if (ready || entered.has(node)) continue;
    entered.add(node);
    stack.push({ node, ready: true });
    const before = [...new Set(node.inputs.flatMap((v) => (v ? [v.node] : [])))].sort((a, b) => a.id - b.id);
    for (const next of before) if (!entered.has(next)) stack.push({ node: next, ready: false });
  }
  return order;
};

/** Bytes of a value at a batch size. */
export const bytesOf = ({ dtype, shape }: Value, batch: number): number =>
  sizeOf(concretize(shape, batch)) * DTYPES[dtype].BYTES_PER_ELEMENT;

/** Memory that several values share, one after the other or as views. */
interface Block {
  readonly owner: Value;
  readonly bytes: number;
  readonly first: number;
  last: number;
}

/**
 * The memory of one run: every value is held from the node that makes it to the last one that reads it; views, and
 * elementwise operators at the last use of their input, take no memory of their own.
 *
 * @param graph  as it runs (lowered)
 */
export const planMemory = (graph: Graph, batch: number): MemoryPlan => {
  const order = executionOrder(graph),
    lastUse = lastUses(graph, order);
  const lifetimes: Lifetime[] = [],
    blocks = new Map<Value, Block>(),
    owners: Block[] = [],
    fixed = constantNodes(order);
  order.forEach((node, step) => {
    if (node.op === Input || fixed.has(node)) return;
    for (const value of node.outputs) {
      const bytes = bytesOf(value, batch),
        last = lastUse.get(value) ?? step,
        over = value.index === 0 ? reused(node, blocks, bytes, step) : undefined,
        shared = over && blocks.get(over);
      const block = shared ?? { owner: value, bytes: over ? 0 : bytes, first: step, last };
      block.last = Math.max(block.last, last);
      blocks.set(value, block);
      if (!shared && !over) owners.push(block);
      lifetimes.push({ value, bytes: over ? 0 : bytes, first: step, last, inPlaceOf: over });
    }
  });
  const { peakBytes, peakStep } = peakOf(owners, order, batch);
  const held = new Set(owners.filter((b) => b.first <= peakStep && peakStep <= b.last).map(({ owner }) => owner));
  const total = (values: Iterable<Value>): number => Array.from(values).reduce((sum, v) => sum + bytesOf(v, batch), 0);
  const constants = order
    .filter((node) => !fixed.has(node))
    .flatMap(({ inputs }) => inputs.filter((v) => v !== undefined && fixed.has(v.node)) as Value[]);
  return {
    constantBytes: total(new Set(constants)),
    fileBytes: total(order.flatMap(({ op, outputs }) => (op === Constant ? outputs : []))),
    inputBytes: total(graph.inputs),
    outputBytes: total(Object.values(graph.outputs)),
    peakBytes,
    peakNode: order[peakStep],
    peakStep,
    atPeak: lifetimes.filter(({ value }) => held.has(value)).sort((a, b) => b.bytes - a.bytes),
    lifetimes,
  };
};

/** Nodes that need no input of the graph. */
export const constantNodes = (order: readonly Node[]): Set<Node> => {
  const fixed = new Set<Node>();
  for (const node of order)
    if (node.op === Constant || (node.op !== Input && node.inputs.every((v) => !v || fixed.has(v.node))))
      fixed.add(node);
  return fixed;
};

/** Step at which each value is read for the last time; outputs stay. */
const lastUses = (graph: Graph, order: readonly Node[]): Map<Value, number> => {
  const last = new Map<Value, number>();
  order.forEach((node, step) => node.inputs.forEach((v) => v && last.set(v, step)));
  for (const v of Object.values(graph.outputs)) last.set(v, order.length);
  return last;
};

/** The input whose memory output 0 gets: that of which it is a view, or one that nothing else needs from here on. */
const reused = (node: Node, blocks: ReadonlyMap<Value, Block>, bytes: number, step: number): Value | undefined =>
  isView(node)
    ? node.inputs[0]
    : (IN_PLACE[node.op.name] ?? [])
        .map((i) => node.inputs[i])
        .find((v) => {
          const block = v && blocks.get(v);
          return block?.bytes === bytes && block.last === step;
        });

/** What a node needs besides its inputs and outputs: a body's run, its constants, and states old and new. */
const insideBytes = ({ op, attributes }: Node, batch: number): number => {
  if (op !== Scan && op !== Loop) return 0;
  const { peakBytes, constantBytes, outputBytes } = planMemory(attributes["body"] as Graph, batch);
  return peakBytes + constantBytes + outputBytes;
};

const peakOf = (
  blocks: readonly Block[],
  order: readonly Node[],
  batch: number,
): { readonly peakBytes: number; readonly peakStep: number } => {
  const steps = order.length,
    change = new Float64Array(steps + 2);
  for (const { bytes, first, last } of blocks) {
    change[first]! += bytes;
    change[last + 1]! -= bytes;
  }
  let live = 0,
    peakBytes = 0,
    peakStep = 0;
  for (let step = 0; step < steps; step++) {
    live += change[step]!;
    const now = live + insideBytes(order[step]!, batch);
    if (now > peakBytes) [peakBytes, peakStep] = [now, step];
  }
  return { peakBytes, peakStep };
};
