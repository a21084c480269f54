import { TemperError } from "../core/index.ts";
import { quote } from "./quote.ts";
import type { FunctionProto, ModelProto, NodeProto } from "./types.ts";
import { MAX_DEPTH } from "./wire.ts";

/** Nodes that a graph may have once all calls are replaced by bodies; ten functions can ask for billions. */
const MAX_EXPANDED = 2 ** 21;

/** `""` for the standard operators, which may also be called `ai.onnx`. */
export const domainOf = ({ domain = "" }: { readonly domain?: string }): string => (domain === "ai.onnx" ? "" : domain);

/** What a node calls or a function is called by. */
export const functionKey = (domain: string, name: string, overload: string): string =>
  [domain, name, overload].join("\0");

const keyOf = (f: FunctionProto): string => functionKey(domainOf(f), f.name ?? "", f.overload ?? "");
const calleeOf = (n: NodeProto): string => functionKey(domainOf(n), n.opType ?? "", n.overload ?? "");

/** The name of a function for messages. */
export const functionLabel = (f: FunctionProto): string =>
  `function ${quote([f.domain, f.name].filter((word) => word).join("."))}`;

/** A function on its way to being expanded: what it calls, and how big and deep it is once that is known. */
interface Body {
  readonly label: string;
  readonly nodes: number;
  /** How often it calls which function. */
  readonly calls: ReadonlyMap<string, number>;
}

/**
 * Checks how the functions of a model call each other.
 *
 * @throws TemperError `bad-graph`: one that is defined twice or calls itself, also through others; `unsupported`: calls
 * nested deeper than 100, or more than two million nodes once every call is replaced by its body
 */
export const checkCalls = (model: ModelProto): void => {
  const functions = model.functions ?? [];
  if (functions.length === 0) return;
  const known = new Set<string>();
  for (const f of functions) {
    if (known.has(keyOf(f))) throw new TemperError("bad-graph", `${functionLabel(f)} is defined twice.`);
    known.add(keyOf(f));
  }
  const bodies = new Map(functions.map((f) => [keyOf(f), bodyOf(functionLabel(f), f.node ?? [], known)]));
  const sizes = expandedSizes(bodies);
  expand(bodyOf("the graph", model.graph?.node ?? [], known), sizes);
};

const bodyOf = (label: string, nodes: readonly NodeProto[], known: ReadonlySet<string>): Body => {
  const calls = new Map<string, number>();
  let count = 0;
  const visit = (list: readonly NodeProto[]): void => {
    for (const node of list) {
      count++;
      const callee = calleeOf(node);
      if (known.has(callee)) calls.set(callee, (calls.get(callee) ?? 0) + 1);
      for (const { g, graphs } of node.attribute ?? [])
        for (const inner of [...(g ? [g] : []), ...(graphs ?? [])]) visit(inner.node ?? []);
    }
  };
  visit(nodes);
  return { label, nodes: count, calls };
};

interface Expanded {
  readonly nodes: number;
  readonly depth: number;
}

const expand = ({ label, nodes, calls }: Body, sizes: ReadonlyMap<string, Expanded>): Expanded => {
  let total = nodes,
    depth = 0;
  for (const [callee, times] of calls) {
    const size = sizes.get(callee)!;
    total += times * size.nodes;
    depth = Math.max(depth, size.depth);
  }
  if (calls.size > 0 && total > MAX_EXPANDED)
    throw new TemperError("unsupported", `${label} has more than ${MAX_EXPANDED} nodes once its calls are expanded.`);
  if (depth >= MAX_DEPTH)
    throw new TemperError("unsupported", `${label}: functions call each other more than ${MAX_DEPTH} levels deep.`);
  return { nodes: total, depth: depth + 1 };
};

/** Callees first, so that no recursion is needed and whatever is left at the end runs in a circle. */
const expandedSizes = (bodies: ReadonlyMap<string, Body>): ReadonlyMap<string, Expanded> => {
  const callers = new Map<string, string[]>();
  const waiting = new Map<string, number>();
  for (const [key, { calls }] of bodies) {
    waiting.set(key, calls.size);
    for (const callee of calls.keys()) {
      const list = callers.get(callee);
      if (list) list.push(key);
      else callers.set(callee, [key]);
    }
  }
  const sizes = new Map<string, Expanded>();
  const ready = [...waiting].filter(([, count]) => count === 0).map(([key]) => key);
  for (let key = ready.pop(); key !== undefined; key = ready.pop()) {
    sizes.set(key, expand(bodies.get(key)!, sizes));
    for (const caller of callers.get(key) ?? []) {
      const left = waiting.get(caller)! - 1;
      waiting.set(caller, left);
      if (left === 0) ready.push(caller);
    }
  }
  const stuck = [...bodies.keys()].find((key) => !sizes.has(key));
  if (stuck !== undefined) throw circle(bodies, sizes, stuck);
  return sizes;
};

const circle = (
  bodies: ReadonlyMap<string, Body>,
  sizes: ReadonlyMap<string, Expanded>,
  start: string,
): TemperError => {
  const way: string[] = [];
  let key = start;
  while (!way.includes(key) && way.length < 10) {
    way.push(key);
    key = [...bodies.get(key)!.calls.keys()].find((callee) => !sizes.has(callee))!;
  }
  const names = [...way.slice(Math.max(0, way.indexOf(key))), key].map((one) => bodies.get(one)!.label);
  return new TemperError("bad-graph", `Functions may not call themselves: ${names.join(" calls ")}.`);
};
