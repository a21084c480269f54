import { formatBytes, formatShape } from "../core/index.ts";
import { concretize, describeNode, type Node } from "../graph/index.ts";
import { formatTable } from "../report/index.ts";
import type { MemoryPlan } from "../runtime/index.ts";

/** A {@link MemoryPlan} as documents show it. */
export interface DescribedMemory {
  readonly batch: number;
  readonly constantBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly peakBytes: number;
  /** The node during which the peak is reached; nodes are taken in the runtime's order, counted from 0. */
  readonly peakNode: string;
  readonly peakStep: number;
  /** Values that the run makes, and those of them that need no memory of their own. */
  readonly values: number;
  readonly inPlace: number;
  /** Largest at the peak. */
  readonly largest: readonly {
    readonly node: string;
    readonly shape: readonly number[];
    readonly bytes: number;
    readonly first: number;
    readonly last: number;
  }[];
}

const MOST = 12;

const nodeText = (node: Node | undefined): string => (node ? describeNode(node) : "");

export const describeMemory = (plan: MemoryPlan, batch: number): DescribedMemory => ({
  batch,
  constantBytes: plan.constantBytes,
  inputBytes: plan.inputBytes,
  outputBytes: plan.outputBytes,
  peakBytes: plan.peakBytes,
  peakNode: nodeText(plan.peakNode),
  peakStep: plan.peakStep,
  values: plan.lifetimes.length,
  inPlace: plan.lifetimes.filter(({ inPlaceOf }) => inPlaceOf).length,
  largest: plan.atPeak.slice(0, MOST).map(({ value, bytes, first, last }) => ({
    node: nodeText(value.node),
    shape: concretize(value.shape, batch),
    bytes,
    first,
    last,
  })),
});

export const memoryText = (memory: DescribedMemory): string => {
  const { batch, peakBytes, peakNode, peakStep, constantBytes, inputBytes, outputBytes, largest } = memory;
  const facts = [
    ["batch", String(batch)],
    ["peak", `${formatBytes(peakBytes)}, during ${peakNode} at step ${peakStep}`],
    ["constants", formatBytes(constantBytes)],
    ["inputs", formatBytes(inputBytes)],
    ["outputs", formatBytes(outputBytes)],
    ["values", `${memory.values}, of them ${memory.inPlace} in the memory of another`],
  ];
  const rows = largest.map(({ node, shape, bytes, first, last }) => [
    node,
    formatShape(shape),
    formatBytes(bytes),
    String(first),
    String(last),
  ]);
  return `${formatTable([], facts)}\n\n${formatTable(["held at the peak", "shape", "bytes", "from", "to"], rows)}`;
};
