import { type AnyStart, type Around, ascendWithin, type Draw, rules, starts, stops } from "../attack/index.ts";
import { filledLike, stopGradient, vjp } from "../autodiff/index.ts";
import { type OptionSpec, type OptionValues, TemperError } from "../core/index.ts";
import { named, type Value } from "../graph/index.ts";
import type { Mode, Weights } from "../nn/index.ts";
import {
  add,
  argMax,
  cast,
  clip,
  div,
  equal,
  maximum,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  scalarLike,
  scale,
  sqrt,
  square,
  sub,
} from "../ops/index.ts";
import type { Values } from "../optim/index.ts";
import { graphNorms } from "../threat/index.ts";
import type { Network } from "./network.ts";
import type { TrainOptions } from "./options.ts";
import type {
  AnyRecipe,
  AttackChanges,
  Branch,
  Found,
  InnerSettings,
  RecipeType,
  Term,
  TermContext,
  View,
  ViewContext,
} from "./recipe.ts";

/** A batch, and what a step is fed beside it. */
export interface StepSource {
  readonly x: Value;
  readonly labels: Value;
  /** Where labels are mixed: the partners' labels [N], and the share of the own one [N]. */
  readonly partners?: Value | undefined;
  readonly share?: Value | undefined;
  /** Weights of the examples [N] in the update. */
  readonly exampleWeights?: Value | undefined;
  /** Random numbers of the step. */
  readonly draw: Draw;
  /** Scalars by name, and the number of inner steps where it differs from step to step. */
  readonly scalar: (name: string) => Value;
  readonly steps?: Value | undefined;
  /** What a branch keeps from batch to batch, of the shape of x. */
  readonly carried: (branch: string) => Value;
  readonly range: readonly [number, number];
}

/** What a step computes before the optimizer. */
export interface Composed {
  /** Scalars: `loss`, `right` (examples that the first branch has right), `evaluations` (gradients), `term.<name>`. */
  readonly reports: Values;
  /** Values of the parameters that the gradients were taken at, and those gradients. */
  readonly parameters: Values;
  readonly gradients: Values;
  /** What was added to parameters before the gradient, and is to be taken off after the step. */
  readonly perturbation: Values;
  /** New values of buffers. */
  readonly buffers: Values;
  /** What branches hand on to the next batch. */
  readonly carried: Values;
}

/**
 * A training step's loss and its gradients, as nodes: branches, the inner attack, terms, batch statistics, weight
 * perturbation.
 *
 * @throws TemperError `bad-option`: terms that read branches which are not there; an attack that nothing is raised by
 */
export const compose = <S extends OptionSpec>(
  network: Network,
  recipe: RecipeType<S>,
  options: OptionValues<S>,
  settings: TrainOptions,
  source: StepSource,
  weights: Weights,
): Composed => {
  const branches = recipe.branches(options),
    terms = recipe.terms(options);
  checkReads(recipe, branches, terms);
  const counted: Value[] = [];
  const context = { network, recipe, branches, terms, options, settings, source, weights, counted };
  const views = viewsOf(context as Composing);
  const update = (at: Weights): Passed => pass(context as Composing, views, at);
  const shifted = perturbed(context as Composing, update);
  const { loss, reports, buffers } = update({ ...weights, ...shifted.parameters });
  const parameters = Object.fromEntries(
    Object.keys(network.parameters).map((name) => [name, shifted.parameters[name] ?? weights[name]!]),
  );
  const carrying = Object.entries(branches).filter(([, { carry }]) => carry),
    names = Object.keys(parameters);
  const gradients = vjp(
    [loss],
    [scalarLike(loss, 1)],
    [...Object.values(parameters), ...carrying.map(([name]) => views[name]!.x)],
  );
  const rows = counted.reduce<Value | undefined>((sum, v) => (sum ? add(sum, v) : v), undefined);
  const passes = scalarLike(loss, sourceRows(source) * (settings.awp > 0 ? 2 : 1));
  return {
    reports: {
      loss,
      ...reports,
      ...Object.assign({}, ...Object.values(views).map((view) => view.reports)),
      evaluations: rows ? add(reduceSum(rows, [0]), passes) : passes,
    },
    parameters,
    gradients: Object.fromEntries(names.map((name, i) => [name, gradients[i] ?? filledLike(parameters[name]!, 0)])),
    perturbation: shifted.perturbation,
    buffers,
    carried: Object.fromEntries(
      carrying.map(([name, { carry }], i) => {
        const point = views[name]!.x,
          mean = gradients[names.length + i] ?? filledLike(point, 0);
        const gradient = stopGradient(scale(mean, sourceRows(source))); // of the example's own loss
        return [
          name,
          carry!({
            ...around(context as Composing),
            point,
            gradient,
            time: scalarLike(loss, 0),
            before: source.carried(name),
          }),
        ];
      }),
    ),
  };
};

interface Composing {
  readonly network: Network;
  readonly recipe: AnyRecipe;
  readonly branches: Readonly<Record<string, Branch<unknown>>>;
  readonly terms: readonly Term<unknown>[];
  readonly options: unknown;
  readonly settings: TrainOptions;
  readonly source: StepSource;
  readonly weights: Weights;
  /** Gradients of examples that attacks and terms took, each [N]. */
  readonly counted: Value[];
}

const checkReads = (
  { name }: AnyRecipe,
  branches: Readonly<Record<string, unknown>>,
  terms: readonly Pick<Term<unknown>, "name" | "reads">[],
): void => {
  for (const term of terms)
    for (const read of term.reads)
      if (!Object.hasOwn(branches, read))
        throw new TemperError(
          "bad-option",
          `${name}: term ${term.name} reads branch "${read}". Known: ${Object.keys(branches).join(", ")}.`,
        );
};

const sourceRows = ({ x }: StepSource): number => x.shape[0]!;

const around = ({ settings, source }: Composing): Around => {
  const { x, range } = source;
  return {
    x,
    norm: settings.norm,
    epsilon: source.scalar("epsilon"),
    low: scalarLike(x, range[0]),
    high: scalarLike(x, range[1]),
  };
};

/** Every branch's view, made in their order. */
const viewsOf = (context: Composing): Record<string, View> => {
  const views: Record<string, View> = {};
  for (const [name, branch] of Object.entries(context.branches)) {
    const seen = named(name, () => branch.view(viewContext(context, name, views)));
    const { x, also = {}, ...rest }: View = "x" in seen ? seen : { x: seen };
    const fixed = Object.entries(also).map(([key, v]) => [key, stopGradient(v)] as const);
    views[name] = { ...rest, also: Object.fromEntries(fixed), x: stopGradient(x) };
  }
  return views;
};

/** The network as attacks see it. */
const attacked = (context: Composing, branch: string, x: Value, tap?: Mode["tap"]): Value => {
  const { network, weights, branches, settings, source } = context;
  return network.apply(network.using(weights, branches[branch]!.statistics), x, {
    training: settings.attackMode === "train",
    random: randomOf(source),
    tap,
  }).y;
};

/** Layers draw from [0, 1). */
const randomOf =
  ({ draw, x }: StepSource): NonNullable<Mode["random"]> =>
  (shape, kind) => {
    const drawn = draw(kind, x, shape as readonly number[]);
    return kind === "normal" ? drawn : scale(add(drawn, scalarLike(drawn, 1)), 0.5);
  };

const viewContext = (context: Composing, name: string, views: Readonly<Record<string, View>>): ViewContext<unknown> => {
  const { settings, source, options } = context,
    region = around(context);
  const { x, labels, draw } = source;
  const project = (points: Value): Value => graphNorms[settings.norm].project(x, points, region);
  return {
    ...region,
    labels,
    options,
    settings,
    step: source.scalar("stepSize"),
    draw,
    forward: (points, tap) => attacked(context, name, points, tap),
    gradient: gradientOf(context),
    project,
    attack: (changed = {}) => attack(context, name, views, region, changed),
  };
};

const gradientOf =
  ({ counted, source }: Composing): ViewContext<unknown>["gradient"] =>
  (rows, at) => {
    counted.push(filledLike(cast(source.labels, "float32"), 1));
    return vjp([rows], [filledLike(rows, 1)], at).map((g, i) => g ?? filledLike(at[i]!, 0));
  };

/** Solves the inner problem of a branch: raises the sum of the terms that enter the attack. */
const attack = (
  context: Composing,
  name: string,
  views: Readonly<Record<string, View>>,
  examples: Around,
  { from, around: middle, step, watch, ...changed }: AttackChanges,
): Found => {
  const { terms, source, settings, counted } = context,
    { labels } = source,
    inner: InnerSettings = { ...settings, ...changed },
    region = { ...examples, ...(middle && { x: middle }) };
  const raised = terms.filter(({ enters, reads }) => enters !== "update" && reads.includes(name));
  if (raised.length === 0)
    throw new TemperError("bad-option", `${context.recipe.name}: no term enters the attack of branch "${name}".`);
  const forward = (points: Value): Value => attacked(context, name, points);
  const beside = [...new Set(raised.flatMap(({ reads }) => reads))].filter((read) => read !== name);
  const others = Object.fromEntries(
    beside.map((read) => [read, stopGradient(attacked(context, read, views[read]!.x, views[read]!.tap))]),
  );
  const rule = rules[inner.rule.name as keyof typeof rules],
    stays = stops[inner.stop.name as keyof typeof stops].stays,
    length = step ?? source.scalar("stepSize");
  const onto = (points: Value): Value => PROJECTIONS[inner.project](points, region);
  const { points, evaluations, first } = ascendWithin({
    examples: labels,
    starts: [from ?? onto(startOf(context, name, inner, region, forward, onto))],
    steps: changed.steps ?? source.steps ?? inner.steps,
    raise: ([point]) => {
      const logits = forward(point!),
        at = termContext(context, { ...others, [name]: logits }, { ...views, [name]: { x: point! } }, forward);
      const rows = raised.map((term) => scale(term.of(at), term.weight ?? 1));
      return { rows: rows.reduce((sum, v) => add(sum, v)), logits };
    },
    move: (at) => onto(rule.move({ ...at, ...region, step: length, options: inner.rule.options as never })),
    stays: stays && ((at) => stays({ ...at, ...region, labels, threshold: source.scalar("threshold") })),
    watch,
  });
  counted.push(evaluations);
  return { points: points[0]!, first };
};

const PROJECTIONS: Readonly<Record<InnerSettings["project"], (points: Value, region: Around) => Value>> = {
  set: (points, region) => graphNorms[region.norm].project(region.x, points, region),
  box: (points, { low, high }) => clip(points, low, high),
  none: (points) => points,
};

const startOf = (
  { source, counted }: Composing,
  name: string,
  inner: InnerSettings,
  region: Around,
  forward: (x: Value) => Value,
  project: (points: Value) => Value,
): Value => {
  const { build, gradients }: AnyStart = starts[inner.start.name as keyof typeof starts];
  if (gradients) counted.push(filledLike(cast(source.labels, "float32"), gradients));
  return build({
    ...region,
    options: inner.start.options,
    draw: source.draw,
    forward,
    previous: () => source.carried(name),
    project,
  });
};

const termContext = (
  context: Composing,
  logits: Readonly<Record<string, Value>>,
  views: Readonly<Record<string, View>>,
  forward: (x: Value) => Value,
): TermContext<unknown> => {
  const { source, weights, options } = context,
    { labels, partners, share } = source;
  return {
    logits,
    views,
    labels,
    weights,
    options,
    region: around(context),
    byLabel: (rows) =>
      partners && share
        ? add(mul(share, rows(labels)), mul(sub(scalarLike(share, 1), share), rows(partners)))
        : rows(labels),
    forward,
    draw: source.draw,
    gradient: gradientOf(context),
  };
};

interface Passed {
  readonly loss: Value;
  readonly reports: Values;
  readonly buffers: Values;
}

/** Forward through all branches that the update reads, and the terms of its loss. */
const pass = (context: Composing, views: Readonly<Record<string, View>>, weights: Weights): Passed => {
  const { network, branches, terms, source } = context;
  const entering = terms.filter(({ enters }) => enters !== "attack");
  const logits: Record<string, Value> = {};
  let now: Weights = weights; // running statistics move from branch to branch
  const apply = (branch: Branch<unknown>, { x, tap }: Pick<View, "x" | "tap">): { y: Value; updates: Values } =>
    network.apply(network.using(now, branch.statistics), x, {
      training: branch.batchNorm !== "running",
      random: randomOf(source),
      tap,
    });
  for (const [name, branch] of Object.entries(branches)) {
    if (!entering.some(({ reads }) => reads.includes(name))) continue;
    const { y, updates } = apply(branch, views[name]!);
    logits[name] = branch.detach ? stopGradient(y) : y;
    const moved = Object.entries(updates).map(([key, value]) => [network.nameIn(key, branch.statistics), value]);
    now = { ...now, ...(Object.fromEntries(moved) as Values) };
  }
  const first = Object.values(branches)[0]!;
  const at = { ...context, weights };
  const parts = entering.map((term): [string, Value] =>
    named(term.name, () => {
      const value = term.of(termContext(at, logits, views, (x) => apply(first, { x }).y));
      return [`term.${term.name}`, reduced(term, value, source)];
    }),
  );
  const total = parts.map(([, value], i) => scale(value, entering[i]!.weight ?? 1)).reduce((sum, v) => add(sum, v));
  return {
    loss: total,
    reports: { right: rightIn(Object.values(logits)[0]!, source.labels), ...Object.fromEntries(parts) },
    buffers: Object.fromEntries(
      Object.keys(network.buffers).flatMap((name) => (now[name] === weights[name] ? [] : [[name, now[name]!]])),
    ),
  };
};

const reduced = ({ name, reduction }: Term<unknown>, value: Value, { exampleWeights }: StepSource): Value => {
  if (reduction === "none") {
    if (value.shape.length === 0) return value;
    throw new TemperError("bad-shape", `term ${name}: a term of no reduction gives a number, not one an example.`);
  }
  const rows = exampleWeights ? mul(value, exampleWeights) : value;
  return reduction === "mean" ? reduceMean(rows, [0]) : reduceSum(rows, [0]);
};

const rightIn = (logits: Value, labels: Value): Value =>
  reduceSum(cast(equal(argMax(logits, 1, false), labels), "float32"), [0]);

interface Perturbed {
  readonly parameters: Values;
  readonly perturbation: Values;
}

/**
 * Matrices and kernels moved up the loss by a share of their own lengths, layer by layer. Source: Wu et al. 2020,
 * Adversarial Weight Perturbation Helps Robust Generalization.
 */
const perturbed = ({ network, settings, source, weights }: Composing, update: (at: Weights) => Passed): Perturbed => {
  if (settings.awp === 0) return { parameters: {}, perturbation: {} };
  const names = Object.entries(network.parameters).flatMap(([name, { role }]) => (role === "weight" ? [name] : [])),
    share = source.scalar("awp");
  const { points } = named("awp", () =>
    ascendWithin({
      examples: source.labels,
      starts: names.map((name) => weights[name]!),
      perExample: false,
      steps: 1,
      raise: (at) => {
        const { loss } = update({ ...weights, ...Object.fromEntries(names.map((name, i) => [name, at[i]!])) });
        return { rows: reshape(loss, [1]), logits: loss };
      },
      move: ({ point, gradient }) =>
        add(
          point,
          mul(gradient, div(mul(share, length(point)), maximum(length(gradient), scalarLike(gradient, 1e-20)))),
        ),
    }),
  );
  const moved = names.map((name, i) => [name, points[i]!] as const);
  return {
    parameters: Object.fromEntries(moved),
    perturbation: Object.fromEntries(moved.map(([name, point]) => [name, sub(point, weights[name]!)])),
  };
};

/** Frobenius norm. */
const length = (v: Value): Value => {
  const axes = v.shape.map((_, i) => i);
  return sqrt(reduceSum(square(v), axes));
};
