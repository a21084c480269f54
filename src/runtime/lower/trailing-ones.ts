import { sameShape } from "../../core/index.ts";
import { elements, emitAll, type Graph, rewrite, type Value } from "../../graph/index.ts";
import { reshape } from "../../ops/index.ts";

const BROADCASTING = new Set(["Add", "Sub", "Mul", "Div"]);
/** With fewer elements (an example) two more operators cost more than they save. */
const MIN_ELEMENTS = 512;

/**
 * Last axes of size 1 taken off what is broadcast. The runtime works in runs along the innermost axes in which operands
 * have equal sizes; where these sizes are 1, a run is a single element: [32, 960, 1, 1] times a number took 295 us,
 * [32, 960] times a number 5.
 */
export const trailingOnes = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => {
    const [y] = node.outputs;
    if (node.op.domain !== "" || !BROADCASTING.has(node.op.name) || inputs.every((v) => sameShape(v!.shape, y!.shape)))
      return undefined;
    const ones = y!.shape.length - 1 - y!.shape.findLastIndex((d) => d !== 1);
    if (ones === 0 || Math.abs(elements(y!.shape)) < MIN_ELEMENTS) return undefined;
    const shorter = (v: Value): Value => reshape(v, v.shape.slice(0, Math.max(0, v.shape.length - ones)));
    const [z] = emitAll(
      node.op,
      inputs.map((v) => shorter(v!)),
      node.attributes,
      node.name,
    );
    return [reshape(z!, y!.shape)];
  });
