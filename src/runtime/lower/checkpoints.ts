import { type Graph, graphNodes, type Node, type Value } from "../../graph/index.ts";
import { bytesOf, isView, planMemory } from "../memory.ts";
import { productsOfNode } from "../work.ts";
import { order } from "./order.ts";
import { canRunAgain, madeAgain, nodesAgain } from "./recompute.ts";
import { type Made, type Turn, turnOf } from "./turn.ts";

/** Parts that forward may be cut into; of several numbers the one that needs least memory is taken. */
const PARTS = [4, 8, 16];
/** How far a cut may lie, in parts, from where the parts are equal. */
const SLACK = 0.35;
/** Values of less than this share of the peak stay. */
const SMALL = 1e-3;
/** Runs with a smaller peak stay as they are where there is no limit, and the share of their work that others may repeat. */
const WORTH = 256e6;
const CHEAP = 0.02;
/** Products and bytes that an operator handles in a second, roughly: only their relation counts. */
const PRODUCTS = 1e11;
const BYTES = 1e10;

/**
 * Gradient checkpointing by plan: what forward nodes made is made once more when the way back needs it, from checkpoints:
 * what is there at narrow places between equal parts of all that is held. Dropped is first what frees most for the work of
 * making it again; as much as costs next to nothing, and where the values of a run then take more than `limit` bytes, no
 * more than that asks for. The same operators on the same numbers give the same bits. Where nothing is enough, what needs
 * least. For known shapes.
 *
 * Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost. Differs: parts are equal in bytes held, not in
 * layers, and each value is weighed by itself.
 *
 * @param limit  0: none
 */
export const checkpoints =
  (limit: number) =>
  (given: Graph): Graph => {
    if (given.inputs.some(({ shape }) => shape.some((d) => d < 0))) return given;
    const start = planned(given);
    if (start.peak <= (limit || WORTH)) return given;
    const ordered = planned(order(given)),
      { graph, peak } = ordered,
      turn = turnOf(graph);
    const choice = (parts: number): Choice => choiceOf(turn, parts, SMALL * peak),
      dropping = ({ kept, droppable }: Choice, count: number): Planned =>
        planned(order(madeAgain(graph, turn.early, isThere(turn, kept, new Set(droppable.slice(0, count))))));
    const middle = choice(PARTS[1]!),
      cheap = dropping(middle, affordable(turn, middle, CHEAP * seconds(graphNodes(graph)))),
      easy = [start, ordered, cheap].reduce(smaller);
    if (limit === 0 || easy.peak <= limit) return easy.graph;
    const most = PARTS.map(choice)
      .map((one) => ({ ...one, ...dropping(one, one.droppable.length) }))
      .reduce(smaller);
    if (most.peak > limit) return smaller<Planned>(easy, most).graph;
    let best: Planned = most,
      [few, enough] = [0, most.droppable.length];
    while (enough - few > 1) {
      const count = Math.floor((few + enough) / 2),
        next = dropping(most, count);
      if (next.peak > limit) few = count;
      else [best, enough] = [next, count];
    }
    return best.graph;
  };

interface Planned {
  readonly graph: Graph;
  readonly peak: number;
}
const planned = (graph: Graph): Planned => ({ graph, peak: planMemory(graph, 1).peakBytes });
const smaller = <P extends Planned>(a: P, b: P): P => (b.peak < a.peak ? b : a);

/** What late nodes find of what early ones made. */
const isThere =
  ({ madeOf }: Turn, kept: ReadonlySet<Made>, dropped: ReadonlySet<Made>) =>
  (v: Value): boolean => {
    const made = madeOf(v);
    return !made || kept.has(made) || !canRunAgain(v.node) || (made.late.length > 0 && !dropped.has(made));
  };

interface Choice {
  /** Checkpoints. */
  readonly kept: ReadonlySet<Made>;
  /** What may be made again, in the order in which it is worth it. */
  readonly droppable: readonly Made[];
}

/** @param smallest  bytes of the smallest value that is dropped */
const choiceOf = (turn: Turn, parts: number, smallest: number): Choice => {
  const cuts = cutsOf(turn, parts),
    kept = new Set(cuts.flatMap((cut) => crossing(turn, cut)));
  const gains = turn.made
    .filter((made) => made.late.length > 0 && made.bytes >= smallest && !kept.has(made) && made.first <= cuts.at(-1)!)
    .map((made) => ({ made, gain: made.bytes / seconds(nodesAgain(made.late, isThere(turn, kept, new Set([made])))) }));
  return { kept, droppable: gains.toSorted((a, b) => b.gain - a.gain).map(({ made }) => made) };
};

/** How many of them can be made again in so much time. */
const affordable = (turn: Turn, { kept, droppable }: Choice, most: number): number => {
  const cost = (count: number): number => {
    const dropped = droppable.slice(0, count);
    return seconds(nodesAgain(dropped.flatMap(({ late }) => late), isThere(turn, kept, new Set(dropped)))); // prettier-ignore
  };
  const beyond = droppable.findIndex((_, i) => cost(i + 1) > most);
  return beyond < 0 ? droppable.length : beyond;
};

/** Steps after which a part ends: the narrowest near to where the parts hold equally many bytes. */
const cutsOf = (turn: Turn, parts: number): readonly number[] => {
  const held = turn.made.filter(({ late }) => late.length > 0),
    total = bytesIn(held);
  const near = (part: number): readonly number[] => {
    let sum = 0;
    return held.flatMap(({ bytes, first }) => {
      sum += bytes;
      return Math.abs((parts * sum) / total - part) < SLACK ? [first] : [];
    });
  };
  return Array.from({ length: parts - 1 }, (_, i) => near(i + 1)).flatMap((steps) =>
    steps.length === 0 ? [] : [steps.reduce((a, b) => (width(turn, b) < width(turn, a) ? b : a))],
  );
};

const crossing = ({ made }: Turn, cut: number): readonly Made[] =>
  made.filter(({ first, last }) => first <= cut && cut < last);
const width = (turn: Turn, cut: number): number => bytesIn(crossing(turn, cut));
const bytesIn = (made: readonly Made[]): number => made.reduce((sum, { bytes }) => sum + bytes, 0);

const seconds = (nodes: Iterable<Node>): number =>
  Array.from(nodes, (node) =>
    isView(node)
      ? 0
      : productsOfNode(node, 1) / PRODUCTS +
        [...node.inputs, ...node.outputs].reduce((sum, v) => sum + (v ? bytesOf(v, 1) : 0), 0) / BYTES,
  ).reduce((a, b) => a + b, 0);
