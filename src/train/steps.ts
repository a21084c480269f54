import type { Tensor } from "../core/index.ts";
import { BATCH, createGraph, type Graph, input } from "../graph/index.ts";
import { scan } from "../ops/index.ts";
import {
  blockSize,
  type CompileOptions,
  type Feeds,
  isPackable,
  packEnds,
  packTensor,
  type Program,
  type Runtime,
  unpackTensor,
} from "../runtime/index.ts";
import { nextName } from "./step-graph.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** A compiled training step, several of which run in one call: compiled as a loop when first asked for it. */
export interface Steps extends Disposable {
  /**
   * Runs one step for every slice of the feeds: pixels [k, N, C, H, W], labels [k, N], the optimizer's scalars [k].
   * @param tensors  weights, buffers and optimizer state, in the order of {@link pack}
   * @returns `loss` [k], `logits` [k, N, classes], and the tensors after the last step. The bits do not depend on how
   *   steps are divided into calls.
   */
  readonly run: (tensors: Tensors, feeds: Feeds) => Promise<{ loss: Tensor; logits: Tensor; tensors: Tensors }>;
  /** Tensors in the order that the runtime computes in; nothing is converted between steps. */
  readonly pack: (tensors: Tensors) => Tensors;
  /** The way back. */
  readonly unpack: (tensors: Tensors) => Tensors;
  /** A graph that takes some of the tensors, for the packed ones. */
  readonly packed: (graph: Graph) => Graph;
}

/**
 * @param step  from `trainStepGraph`
 * @param shapes  of what a step replaces (weights, buffers, optimizer state), by name
 */
export const createSteps = async (
  runtime: Runtime,
  step: Graph,
  shapes: Readonly<Record<string, readonly number[]>>,
  { batchSize, ...options }: CompileOptions & { readonly batchSize: number },
): Promise<Steps> => {
  const block = await blockSize(),
    names = Object.keys(shapes),
    ordered = names.filter((name) => isPackable(shapes[name]!, block));
  const one = packEnds(step, [...ordered, ...ordered.map(nextName)], block, batchSize);
  // A loop takes the memory of all that it gives before it begins: one step is compiled as it is.
  let program: Program = await runtime.compile(one, options),
    isLoop = false;
  const compileLoop = async (): Promise<void> => {
    program.dispose();
    program = await runtime.compile(repeated(one, new Set(names)), options);
    isLoop = true;
  };
  const runOne = async (tensors: Tensors, feeds: Feeds): Promise<Tensors> => {
    const slices = Object.entries(feeds).map(([name, tensor]) => [name, { ...tensor, shape: tensor.shape.slice(1) }]);
    const { loss, logits, ...changed } = await program.run({ ...tensors, ...Object.fromEntries(slices) });
    const kept = Object.keys(tensors).filter((name) => !(nextName(name) in changed));
    const copies = kept.map((name) => [nextName(name), { ...tensors[name]!, data: tensors[name]!.data.slice() }]);
    return { loss: asStack(loss!), logits: asStack(logits!), ...changed, ...Object.fromEntries(copies) };
  };
  const change = (tensors: Tensors, reorder: typeof packTensor): Tensors => ({
    ...tensors,
    ...Object.fromEntries(ordered.map((name) => [name, reorder(tensors[name]!, block)])),
  });
  return {
    run: async (tensors, feeds) => {
      const count = Object.values(feeds)[0]!.shape[0]!;
      if (count > 1 && !isLoop) await compileLoop();
      const { loss, logits, ...next } = isLoop
        ? await program.run({ ...tensors, ...feeds })
        : await runOne(tensors, feeds);
      const after = Object.keys(tensors).map((name) => [name, next[nextName(name)]!]);
      return { loss: loss!, logits: logits!, tensors: Object.fromEntries(after) as Tensors };
    },
    pack: (tensors) => change(tensors, packTensor),
    unpack: (tensors) => change(tensors, unpackTensor),
    packed: (graph) => packEnds(graph, ordered, block),
    [Symbol.dispose]: () => program.dispose(),
  };
};

const asStack = (tensor: Tensor): Tensor => ({ ...tensor, shape: [1, ...tensor.shape] });

/** The step as a loop over stacks of everything that is not a state: one call for many steps of small networks. */
const repeated = (step: Graph, names: ReadonlySet<string>): Graph => {
  const states = step.inputs.filter((v) => names.has(v.node.name)),
    slices = step.inputs.filter((v) => !names.has(v.node.name));
  const { loss, logits } = step.outputs;
  const after = states.map((v) => [v.node.name, step.outputs[nextName(v.node.name)] ?? v] as const);
  const body = createGraph(step.name, [...states, ...slices], {
    ...Object.fromEntries(after.map(([name, v]) => [nextName(name), v])),
    loss: loss!,
    logits: logits!,
  });
  const outer = [
    ...states.map((v) => input(v.node.name, v.dtype, v.shape)),
    ...slices.map((v) => input(v.node.name, v.dtype, [BATCH, ...v.shape])),
  ];
  const results = scan(body, outer.slice(0, states.length), outer.slice(states.length));
  return createGraph(
    `${step.name}.steps`,
    outer,
    Object.fromEntries(Object.keys(body.outputs).map((name, i) => [name, results[i]!])),
  );
};

/** Milliseconds that a call may take: long beside its overhead, short to whoever waits for an answer. */
const CALL_MS = 1000;
const MOST_STEPS = 64;
/** Bytes of the examples of a call: they are laid side by side for it. */
const CALL_BYTES = 16e6;

/** Steps for one call, when one takes so many milliseconds and so many bytes of examples. */
export const callLength = (stepMs: number, stepBytes: number): number =>
  Math.max(1, Math.floor(Math.min(MOST_STEPS, CALL_MS / stepMs, CALL_BYTES / stepBytes)));
