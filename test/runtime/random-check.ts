import { assert, asyncProperty } from "fast-check";
import { toFloat64 } from "temper/core";
import { fromArray64, type Graph, printGraph } from "temper/graph";
import { evaluateGraph } from "temper/ops";
import {
  isPackable,
  lowerForCpu,
  loweringSteps,
  type LowerOptions,
  packEnds,
  packTensor,
  unpackTensor,
} from "temper/runtime";
import { type Arrays, inFloat64, onCpu, worstDifference } from "./lowered.ts";
import { feedsOf, graphOf, type Recipe, recipes } from "./random-graph.ts";

/** Lowerings of every graph; Winograd from as few channels on as the graphs have. */
const FORMS = [
  { block: 0, winograd: false },
  { block: 16, winograd: false },
  { block: 16, winograd: { minChannels: 16 } },
  { block: 8, winograd: { minChannels: 8 } },
] satisfies LowerOptions[];
/** In float64; what differs are constants that were folded, and so rounded to float32. */
const TOLERANCE_64 = 1e-5;
/** In float32, on this machine. */
const TOLERANCE_32 = 1e-4;
/** Another draw of the numbers, where one lies on a kink: a wrong lowering is wrong for all. */
const DRAWS = 3;

/** First pass after which a graph gives something else. */
const culprit = (graph: Graph, form: LowerOptions, feeds: Arrays, batch: number, expected: Arrays): string =>
  loweringSteps(graph, form).find(
    (step) => worstDifference(inFloat64(step.graph, feeds, batch, form.block ?? 0), expected) > TOLERANCE_64,
  )?.pass.name ?? "none, in float64";

type Found = { readonly form: LowerOptions; readonly where: string; readonly difference: number };

/** Arrays of weights and of their gradients in the order of blocks, or back: as training feeds and gets them. */
const reordered = (arrays: Arrays, how: typeof packTensor): Arrays =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => {
      if (!IS_WEIGHT.test(name) || !isPackable(array.shape, 16)) return [name, array];
      return [name, { ...array, data: toFloat64(how(fromArray64(array), 16)) }];
    }),
  );
const IS_WEIGHT = /^(d\.)?w/;

/** What a graph gives whose weights lie in the order of blocks at both ends. */
const packedWay = (graph: Graph, feeds: Arrays, batch: number): Arrays => {
  const ends = [...graph.inputs.map((v) => v.node.name), ...Object.keys(graph.outputs)].filter((n) =>
    IS_WEIGHT.test(n),
  );
  const lowered = lowerForCpu(packEnds(graph, ends, 16), { block: 16, winograd: { minChannels: 16 } });
  return reordered(inFloat64(lowered, reordered(feeds, packTensor), batch, 16), unpackTensor);
};

/** How one draw of numbers differs, after the lowering or after each pass of it. */
const differences = async (graph: Graph, batch: number, feeds: Arrays, expected: Arrays, eachPass: boolean) => {
  const found: Found[] = [];
  const packed = worstDifference(packedWay(graph, feeds, batch), expected);
  if (!(packed <= TOLERANCE_64)) found.push({ form: FORMS[2]!, where: "with packed weights", difference: packed });
  for (const form of FORMS) {
    const graphs = eachPass
      ? loweringSteps(graph, form).map((step) => [`after ${step.pass.name}`, step.graph] as const)
      : [["in float64", lowerForCpu(graph, form)] as const];
    for (const [where, lowered] of graphs) {
      const difference = worstDifference(inFloat64(lowered, feeds, batch, form.block), expected);
      if (!(difference <= TOLERANCE_64)) found.push({ form, where, difference });
    }
    if (form.block !== 16 || eachPass) continue; // on this machine the block is what it is
    const difference = worstDifference(await onCpu(graph, feeds, { winograd: form.winograd }), expected);
    if (!(difference <= TOLERANCE_32)) found.push({ form, where: "in float32", difference });
  }
  return found;
};

const check = async (recipe: Recipe, eachPass: boolean): Promise<void> => {
  const graph = graphOf(recipe);
  for (let draw = 1; ; draw++) {
    const feeds = feedsOf(graph, recipe.batch, draw),
      expected = evaluateGraph(graph, feeds);
    const [first] = await differences(graph, recipe.batch, feeds, expected, eachPass);
    if (!first) return;
    if (draw < DRAWS) continue;
    const { form, where, difference } = first;
    const pass = culprit(graph, form, feeds, recipe.batch, expected);
    throw new Error(
      `${JSON.stringify(form)} ${where}: ${difference}; first pass that changes it: ${pass}\n${printGraph(graph)}`,
    );
  }
};

/**
 * Random graphs give the same before and after the lowering, by the references in float64 and on this machine; or after
 * each of its passes. A failure prints the smallest recipe found, and its graph.
 */
export const checkRandomGraphs = (
  count: number,
  { seed, mostSteps = 8, eachPass = false }: { seed: number; mostSteps?: number; eachPass?: boolean },
): Promise<void> =>
  assert(
    asyncProperty(recipes(mostSteps), (recipe) => check(recipe, eachPass)),
    { seed, numRuns: count },
  );
