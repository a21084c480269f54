import { type AnyStart, type Around, ascendWithin, rules, starts, stops } from "../attack/index.ts";
import { filledLike, stopGradient } from "../autodiff/index.ts";
import { TemperError } from "../core/index.ts";
import { named, type Value } from "../graph/index.ts";
import type { Mode } from "../nn/index.ts";
import { add, cast, clip, scale } from "../ops/index.ts";
import { graphNorms } from "../threat/index.ts";
import { around, type Composing, gradientOf, randomOf, termContext } from "./composing.ts";
import type { AttackChanges, Found, InnerSettings, View, ViewContext } from "./recipe.ts";

/** Every branch's view, made in their order. */
export const viewsOf = (context: Composing): Record<string, View> => {
  const views: Record<string, View> = {};
  for (const [name, branch] of Object.entries(context.branches)) {
    const seen = named(name, () => branch.view(viewContext(context, name, views)));
    const { x, also = {}, ...rest }: View = "x" in seen ? seen : { x: seen };
    const fixed = Object.entries(also).map(([key, v]) => [key, stopGradient(v)] as const);
    views[name] = { ...rest, also: Object.fromEntries(fixed), x: stopGradient(x) };
  }
  return views;
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
    slope: source.scalar("slope"),
    draw,
    forward: (points, tap) => attacked(context, name, points, tap),
    gradient: gradientOf(context),
    project,
    attack: (changed = {}) => attack(context, name, views, region, changed),
  };
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
    starts: [from ?? startOf(context, name, inner, region, forward, onto)],
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
  const { build, gradients, unprojected }: AnyStart = starts[inner.start.name as keyof typeof starts];
  if (gradients) counted.push(filledLike(cast(source.labels, "float32"), gradients));
  const { options } = inner.start;
  const points = build({
    ...region,
    options,
    draw: source.draw,
    forward,
    previous: () => source.carried(name),
    project,
  });
  return unprojected?.(options) ? points : project(points);
};
