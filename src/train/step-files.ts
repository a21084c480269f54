import { f32, i64, type OptionSpec, resolveOptions, type Tensor } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import type { ModelProto } from "../onnx/index.ts";
import { toOnnx } from "../ops/index.ts";
import { lowerForCpu } from "../runtime/index.ts";
import { type AnyController, controllers } from "./controllers.ts";
import type { TrainOptions } from "./options.ts";
import { encodeSafetensors } from "./safetensors.ts";
import { type Drawn, nextName, type StepProgram, type StepSpec, trainStep } from "./step-graph.ts";
import { firstTensors, scalarsOf } from "./step-inputs.ts";

/** What the file of a training step is fed and gives; it stands in the file's metadata as `temper.step`. */
export interface StepDescription {
  readonly schema: "temper.step/1";
  readonly recipe: string;
  readonly model: string;
  /** The recipe's own options, and those of the run. */
  readonly recipeOptions: Readonly<Record<string, unknown>>;
  readonly settings: TrainOptions;
  /** Least and greatest pixel. */
  readonly range: readonly [number, number];
  /** Inputs that are examples: pixels, labels, and what mixing adds. */
  readonly examples: readonly string[];
  /** Inputs that are drawn anew for every step: uniform in [-1, 1), or standard normal. */
  readonly draws: readonly Drawn[];
  /** Inputs that are numbers; `scalar/<name>` of the starting values has one for every step of the run. */
  readonly scalars: readonly string[];
  /** Inputs that begin as the starting values of their names. Where an output `next.<name>` is, it takes their place. */
  readonly states: readonly string[];
  /** Outputs that say how it goes. */
  readonly reports: readonly string[];
}

/** A training step for any ONNX Runtime: standard operators only. */
export interface StepFiles {
  readonly graph: Graph;
  readonly model: ModelProto;
  /** Starting values, as .safetensors. */
  readonly start: Uint8Array;
  readonly description: StepDescription;
}

/** @param perEpoch  steps of an epoch, which schedules go by */
export const stepFiles = (spec: StepSpec, perEpoch: number): StepFiles => {
  const { model, recipe, settings, options = {}, range = [0, 1] } = spec,
    program = trainStep(spec);
  const { graph, draws, scalars } = program,
    tensors = firstTensors(settings, model, program);
  const drawn = new Set(draws.map(({ name }) => name)),
    known = (name: string): boolean => drawn.has(name) || scalars.includes(name) || Object.hasOwn(tensors, name);
  const description: StepDescription = {
    schema: "temper.step/1",
    recipe: recipe.name,
    model: model.name,
    recipeOptions: resolveOptions(recipe.name, recipe.options as OptionSpec, options),
    settings,
    range,
    examples: graph.inputs.map(({ node }) => node.name).filter((name) => !known(name)),
    draws,
    scalars,
    states: Object.keys(tensors),
    reports: Object.keys(graph.outputs).filter((name) => !name.startsWith(nextName(""))),
  };
  const portable = lowerForCpu(graph), // as the engine runs it where there are no blocks
    metadata = { "temper.step": JSON.stringify(description) };
  return {
    graph: portable,
    model: toOnnx(portable, { metadata }),
    start: encodeSafetensors({ tensors: { ...tensors, ...scalarStacks(spec, program, perEpoch) }, metadata: {} }),
    description,
  };
};

/** The scalars of all steps; what a controller sets is as the run begins. */
const scalarStacks = (
  { settings }: Pick<StepSpec, "settings">,
  program: StepProgram,
  perEpoch: number,
): Record<string, Tensor> => {
  const { control, epochs, batchSize } = settings,
    controller: AnyController = controllers[control.name as keyof typeof controllers],
    first = { epoch: 0, within: 0, perEpoch, epochs, batchSize },
    held = controller.scalars(first, controller.start(control.options), control.options),
    at = scalarsOf(settings, program, perEpoch);
  const steps = Array.from({ length: perEpoch * epochs }, (_, step) => at(step, held).scalars);
  return Object.fromEntries(
    program.graph.inputs.flatMap(({ node: { name }, dtype }) => {
      const values = program.scalars.includes(name) ? steps.map((step) => step[name]!) : undefined;
      return values ? [[`scalar/${name}`, dtype === "int64" ? i64(values) : f32(values)]] : [];
    }),
  );
};
