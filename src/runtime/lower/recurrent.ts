import {
  bind,
  constantOf,
  emitAll,
  foldConstants,
  type Graph,
  graphNodes,
  type Node,
  rewrite,
  useCounts,
  type Value,
} from "../../graph/index.ts";
import { LSTM, lstmBackward, type LstmForward, lstmForward, LSTMGrad, Scan, scanned, SHARED } from "../../ops/index.ts";

/**
 * Gradients of LSTMs as two Scans, forward and back. The forward one stands for the LSTM as well; without a gradient it
 * stays the runtime's own operator. A Scan beats written out steps by a third: what a step makes stays in the caches,
 * and is neither cut from a whole nor joined to one.
 */
export const recurrentGradients = (graph: Graph): Graph => {
  const wanted = new Set(graphNodes(graph).flatMap((node) => (node.op === LSTMGrad ? keyOf(node) : [])));
  if (wanted.size === 0) return graph;
  const made = new Map<string, LstmForward>();
  const forward = (node: Node, inputs: readonly (Value | undefined)[]): LstmForward => {
    const found = made.get(keyOf(node)) ?? lstmForward(scanned, inputs);
    made.set(keyOf(node), found);
    return found;
  };
  const scans = rewrite(graph, (node, inputs) => {
    if (node.op === LSTM && wanted.has(keyOf(node))) return forward(node, inputs).outputs;
    return node.op === LSTMGrad ? lstmBackward(scanned, inputs, forward(node, inputs), inputs.slice(7)) : undefined;
  });
  return tightened(foldConstants(scans));
};

/** Which LSTM it is: the same inputs, whatever is differentiated. */
const keyOf = ({ inputs }: Node): string =>
  Array.from({ length: 7 }, (_, i) => (inputs[i] ? `${inputs[i].node.id}:${inputs[i].index}` : "")).join();

/** Scans without results that nothing reads, and with constants inside of the body, where the runtime prepares them. */
const tightened = (graph: Graph): Graph => {
  const uses = useCounts(graph);
  return rewrite(graph, (node, inputs) => {
    if (node.op !== Scan) return undefined;
    const body = node.attributes["body"] as Graph,
      own = inputs.length - (node.attributes[SHARED] as number),
      states = own - (node.attributes["num_scan_inputs"] as number);
    const inside = (i: number): boolean => i >= own && constantOf(inputs[i]) !== undefined,
      outside = inputs.filter((_, i) => !inside(i)),
      bound = body.inputs.flatMap((v, i) => (inside(i) ? [[v.node.name, inputs[i]!] as const] : []));
    const kept = node.outputs.filter((v, i) => i < states || uses.has(v)),
      outputs = Object.entries(body.outputs).filter((_, i) => kept.includes(node.outputs[i]!));
    const directions = node.attributes["scan_output_directions"] as readonly number[] | undefined;
    const slim = emitAll(
      Scan,
      outside,
      {
        ...node.attributes,
        body: bind({ ...body, outputs: Object.fromEntries(outputs) }, Object.fromEntries(bound)),
        [SHARED]: outside.length - own,
        scan_output_directions: outputs.length > states ? directions?.slice(0, outputs.length - states) : undefined,
      },
      node.name,
    );
    return node.outputs.map((v) => slim[kept.indexOf(v)]!);
  });
};
