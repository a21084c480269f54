import { TemperError } from "../core/index.ts";
import { allNodes, concretize, type Graph, type Shape, type Value } from "../graph/index.ts";
import { encode } from "./encode.ts";
import { askHere, lower } from "./local.ts";
import { checkFeeds, type CompileOptions, type Feeds, signatureOf } from "./program.ts";
import { createSession } from "./session.ts";

/** Time of one operator in one layer. */
export interface ProfileEntry {
  /** Name of the node in the graph that was given: a layer, its gradient (`conv1.grad`); empty: of no single node. */
  readonly name: string;
  readonly operator: string;
  /** Calls in one run. */
  readonly calls: number;
  /** Of all its calls in one run, on average. */
  readonly seconds: number;
}

export interface Profile {
  /** Of a whole run, on average. */
  readonly seconds: number;
  /** The most expensive first. What they lack of `seconds` is the runtime's own work between operators. */
  readonly entries: readonly ProfileEntry[];
}

export interface ProfileOptions extends CompileOptions {
  /** Runs that are averaged. Default 5. */
  readonly runs?: number;
}

/**
 * Where the time of a graph goes: ONNX Runtime's own trace of some runs, after one to warm up, folded onto the names of
 * the graph's nodes. Blocks the calling thread; tracing itself costs some microseconds an operator.
 * @throws TemperError as {@link CompileOptions} and feeds do; `unsupported` on the reference device
 */
export const profile = async (
  graph: Graph,
  feeds: Feeds,
  { runs = 5, ...options }: ProfileOptions = {},
): Promise<Profile> => {
  if (options.device === "reference")
    throw new TemperError("unsupported", "profile: the reference device keeps no trace. Use the cpu or a GPU.");
  checkFeeds(signatureOf(graph), feeds);
  const { graph: lowering, device, threads } = await lower(graph, options, askHere);
  const lowered = lowering();
  const { mkdtempSync, readdirSync, readFileSync, rmSync } = process.getBuiltinModule("node:fs"),
    path = process.getBuiltinModule("node:path"),
    os = process.getBuiltinModule("node:os");
  const folder = mkdtempSync(path.join(os.tmpdir(), "temper-profile-"));
  try {
    const session = await createSession(encode(lowered), device, threads, path.join(folder, "trace"));
    for (let i = 0; i < runs + 1; i++) await session.run(feeds, Object.keys(graph.outputs));
    await session.release(); // writes the trace
    const trace = JSON.parse(readFileSync(path.join(folder, readdirSync(folder)[0]!), "utf8")) as TraceEvent[];
    return fold(trace, lowered, batchOf(graph, feeds), runs);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** An event as the runtime writes it. */
interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name: string; readonly node_index: string } & Record<
    "input_type_shape" | "output_type_shape",
    Types
  >;
}
/** One record a tensor: its type, with its shape. */
type Types = readonly Readonly<Record<string, Shape>>[];

const WHOLE_RUN = "model_run";
const SUFFIX = "_kernel_time";
/** Their time is that of the operators inside, which the trace has too. */
const LOOPS = new Set(["Scan", "Loop", "If"]);

const fold = (trace: readonly TraceEvent[], graph: Graph, batch: number, runs: number): Profile => {
  const whole = trace.filter(({ name }) => name === WHOLE_RUN).slice(1);
  const nodes = trace.filter(
    ({ cat, name, args }) => cat === "Node" && name.endsWith(SUFFIX) && !LOOPS.has(args!.op_name),
  );
  const perRun = nodes.slice(nodes.length / (runs + 1));
  const nameOf = namesIn(graph, nodes.slice(0, nodes.length / (runs + 1)), batch);
  const entries = new Map<string, { name: string; operator: string; calls: number; seconds: number }>();
  for (const event of perRun) {
    const name = nameOf(event),
      operator = event.args!.op_name,
      key = `${name}\n${operator}`;
    const entry = entries.get(key) ?? { name, operator, calls: 0, seconds: 0 };
    entries.set(key, entry);
    entry.calls++;
    entry.seconds += event.dur / 1e6;
  }
  return {
    seconds: whole.reduce((sum, { dur }) => sum + dur, 0) / 1e6 / runs,
    entries: [...entries.values()]
      .map(({ calls, seconds, ...of }) => ({ ...of, calls: calls / runs, seconds: seconds / runs }))
      .sort((a, b) => b.seconds - a.seconds),
  };
};

/**
 * Names of the graph's nodes for those of the trace. The runtime keeps names, made unique by a number, but not those of
 * convolutions that it moves to its own layout: these are known by their shapes, and equal ones by their order.
 * @param once  events of one run
 */
const namesIn = (graph: Graph, once: readonly TraceEvent[], batch: number): ((event: TraceEvent) => string) => {
  const all = allNodes(graph),
    known = new Set(all.map(({ name }) => name).filter(Boolean));
  const bare = ({ name }: TraceEvent): string => name.slice(0, -SUFFIX.length);
  const own = (name: string): string | undefined => [name, name.replace(/_\d+$/, "")].find((wish) => known.has(wish));
  const convolutions = grouped(
    all.filter(({ op }) => op.name === "Conv" && op.domain === ""),
    ({ inputs: [, w], outputs: [y] }) => shapesKey(w!.shape, concretize((y as Value).shape, batch)),
  );
  const traced = grouped(
    once.filter((event) => event.args!.op_name === "Conv" && own(bare(event)) === undefined),
    ({ args }) => shapesKey(shapeOf(args!.input_type_shape[1]), shapeOf(args!.output_type_shape[0])),
  );
  const found = new Map<string, string>();
  for (const [key, events] of traced) {
    const same = convolutions.get(key) ?? [];
    if (same.length === events.length) events.forEach(({ args }, i) => found.set(args!.node_index, same[i]!.name));
  }
  return (event) => own(bare(event)) ?? found.get(event.args!.node_index) ?? "";
};

const grouped = <T>(list: readonly T[], keyOf: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of list) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
};
const shapesKey = (...shapes: readonly Shape[]): string => shapes.map((shape) => shape.join()).join("/");
const shapeOf = (type: Types[number] | undefined): Shape => Object.values(type ?? {})[0] ?? [];

/** The batch size that feeds have. */
const batchOf = ({ inputs }: Graph, feeds: Feeds): number => {
  for (const { node, shape } of inputs) {
    const axis = shape.findIndex((d) => d < 0);
    if (axis >= 0) return feeds[node.name]!.shape[axis]! / -shape[axis]!;
  }
  return 1;
};
