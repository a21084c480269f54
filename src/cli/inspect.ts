import { attackStepGraph, gradientGraph } from "../attack/index.ts";
import { bool, choice, formatBytes, int, lookup, size, text } from "../core/index.ts";
import { type Graph, printGraph, withBatch } from "../graph/index.ts";
import { type LossName, losses } from "../loss/index.ts";
import { loadClassifier } from "../models/index.ts";
import { readModelFile } from "../onnx/index.ts";
import { formatTable } from "../report/index.ts";
import { cpuOptions, type LoweringStep, loweringSteps, lowerForCpu, planMemory } from "../runtime/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { type Counts, countNodes, countOperators, type Described, describeEnds, typesText } from "./graph-text.ts";
import { type DescribedMemory, describeMemory, memoryText } from "./memory-text.ts";
import { names } from "./names.ts";
import { threatOptions, winogradOf } from "./shared-options.ts";

/** What can be looked at, each made from the model's graph. */
const graphs = {
  forward: (model: Graph) => model,
  gradient: gradientGraph,
  "attack-step": attackStepGraph,
} as const satisfies Record<string, (model: Graph, loss: LossName) => Graph>;

export const inspectCommand = defineCommand({
  name: "inspect",
  summary: "Show what is in a model, and what each pass of the lowering makes of it.",
  positionals: [{ name: "model.onnx", help: "an ONNX classifier" }],
  options: {
    graph: choice(names(graphs), {
      default: "gradient",
      help: "what to look at: the model itself, its gradient (what attacks run), or a step of an l-inf attack",
    }),
    loss: choice(names(losses), { default: "cross-entropy", help: "loss that is differentiated" }),
    passes: bool({ default: false, help: "show what each pass of the lowering changes" }),
    memory: bool({ default: false, help: "show what a run of the lowered graph needs, and where it needs the most" }),
    batch: int({ default: 64, min: 1, max: 65536, help: "examples a run, for --memory" }),
    limit: size({
      default: 0,
      help: "with --memory, also the plan of a run whose values take no more than this, such as 500MB, some made twice; 0: none",
    }),
    after: text({ default: undefined, help: "print the whole graph as this pass leaves it", expected: "a pass" }),
    portable: bool({ default: false, help: "lower for no particular machine, with standard operators only" }),
    winograd: threatOptions.winograd,
    winogradChannels: threatOptions.winogradChannels,
  },
  examples: [
    "temper inspect model.onnx",
    "temper inspect model.onnx --passes",
    "temper inspect model.onnx --memory --batch 256",
    "temper inspect model.onnx --memory --batch 256 --limit 200MB",
    "temper inspect model.onnx --graph forward --after simplify",
  ],
  run: async ({ args: [path], options, output }) => {
    const { graph: which, loss, passes, memory, batch, limit, after, portable } = options;
    const { graph: model, parameters, notes } = await loadClassifier(path!);
    const graph = graphs[which](model, loss);
    // As src/attack runs it: the forward pass, which gives the verdicts, does without; so do models of batch size 1.
    const gains = which !== "forward" && model.inputs[0]?.shape[0] !== 1;
    const how = portable ? {} : await cpuOptions(graph, gains && winogradOf(options)),
      steps = loweringSteps(graph, how);
    const shown =
      after === undefined
        ? undefined
        : lookup(Object.fromEntries(steps.map((step) => [step.pass.name, step])), after, "pass that runs here");
    const facts: Facts = {
      file: path!,
      ...(await origin(path!)),
      parameters,
      graph: which,
      ...(which !== "forward" && { loss }),
      ...describeEnds(graph),
      ...contents(countOperators(graph)),
      lowered: contents(countOperators(steps.at(-1)!.graph)),
    };
    const planOf = (lowered: Graph): DescribedMemory => describeMemory(planMemory(lowered, batch), batch);
    const plan = memory ? planOf(steps.at(-1)!.graph) : undefined,
      within =
        memory && limit > 0 ? planOf(lowerForCpu(withBatch(graph, batch), { ...how, memory: limit })) : undefined;
    for (const note of notes) output.note(`note: ${note}`);
    const parts = [
      ...(passes ? [stepTable(facts.operators, steps)] : []),
      ...(plan ? [memoryText(plan)] : []),
      ...(within ? [`With values made twice, for ${formatBytes(limit)}:`, memoryText(within)] : []),
      ...(shown ? [printGraph(shown.graph).trimEnd()] : []),
    ];
    output.print((parts.length > 0 ? parts : [factsTable(facts), operatorTable(facts)]).join("\n\n"));
    output.document({
      ...facts,
      ...(passes && {
        passes: steps.map(({ pass: { name, summary }, graph: left }) => ({
          name,
          summary,
          ...contents(countOperators(left)),
        })),
      }),
      ...(plan && { memory: plan }),
      ...(within && { within }),
      ...(shown && { after: { pass: after, text: printGraph(shown.graph) } }),
    });
    return EXIT.done;
  },
});

interface Contents {
  readonly nodes: number;
  readonly operators: Counts;
}

interface Origin {
  readonly producer?: string;
  /** Version of the standard operators in the file. */
  readonly opset?: number;
}

/** The document: the file, and the graph that is looked at. */
interface Facts extends Origin, Contents {
  readonly file: string;
  readonly parameters: number;
  readonly graph: string;
  readonly loss?: string;
  readonly inputs: readonly Described[];
  readonly outputs: readonly Described[];
  readonly lowered: Contents;
}

const contents = (operators: Counts): Contents => ({ nodes: countNodes(operators), operators });

const origin = async (path: string): Promise<Origin> => {
  const { producerName, producerVersion, opsetImport } = (await readModelFile(path)).model;
  const producer = [producerName, producerVersion].filter(Boolean).join(" ");
  const opset = opsetImport?.find(({ domain = "" }) => domain === "" || domain === "ai.onnx")?.version;
  return { ...(producer && { producer }), ...(opset !== undefined && { opset }) };
};

const stepTable = (start: Counts, steps: readonly LoweringStep[]): string =>
  formatTable(
    ["pass", "before", "after", "ms", "operators"],
    steps.map(({ pass, graph, seconds }, i) => {
      const before = i > 0 ? countOperators(steps[i - 1]!.graph) : start,
        after = countOperators(graph);
      const [left, right] = [before, after].map((counts) => String(countNodes(counts))) as [string, string];
      return [pass.name, left, right, (1000 * seconds).toFixed(1), changes(before, after)];
    }),
  );

const factsTable = (facts: Facts): string => {
  const { file, producer, opset, parameters, graph, loss, inputs, outputs, nodes, lowered } = facts;
  return formatTable(
    [],
    [
      ["file", file],
      ...(producer === undefined ? [] : [["producer", producer]]),
      ...(opset === undefined ? [] : [["opset", String(opset)]]),
      ["parameters", parameters.toLocaleString("en")],
      ["graph", loss === undefined ? graph : `${graph} of ${loss}`],
      ["inputs", typesText(inputs)],
      ["outputs", typesText(outputs)],
      ["nodes", `${nodes}, after the lowering ${lowered.nodes}`],
    ],
  );
};

const operatorTable = ({ operators, lowered }: Facts): string =>
  formatTable(
    ["operator", "nodes", "lowered"],
    Object.keys({ ...operators, ...lowered.operators }).map((name) => [
      name,
      String(operators[name] ?? 0),
      String(lowered.operators[name] ?? 0),
    ]),
  );

/** `-1 ConvTranspose, +2 Reshape`: first what went, then what came. */
const changes = (before: Counts, after: Counts): string =>
  Object.keys({ ...before, ...after })
    .map((name) => ({ name, by: (after[name] ?? 0) - (before[name] ?? 0) }))
    .filter(({ by }) => by !== 0)
    .sort((a, b) => Math.sign(a.by) - Math.sign(b.by))
    .map(({ name, by }) => `${by > 0 ? "+" : ""}${by} ${name}`)
    .join(", ") || "unchanged";
