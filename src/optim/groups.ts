import { float, nearest, type OptionInput, type OptionSpec, resolveOptions, TemperError } from "../core/index.ts";
import type { Role } from "../nn/index.ts";
import { createOptimizer, type Optimizer, type OptimizerType, type Stepped, type Values } from "./optimizer.ts";

/** What some parameters do differently. */
export interface ParameterRule {
  /** A role (`weight`, `bias`, `scale`), or a pattern of names in which `*` stands for any characters. */
  readonly match: string;
  /** Factor of the learning rate; 0 keeps the parameters as they are. */
  readonly lr?: number;
  /** In place of the optimizer's. */
  readonly weightDecay?: number;
}

/** Before any rule: what shifts and scales is not drawn to zero. Source: Goyal et al. 2017, and most recipes since. */
const USUAL: readonly ParameterRule[] = [
  { match: "bias", weightDecay: 0 },
  { match: "scale", weightDecay: 0 },
];

/** An optimizer that knows its parameters by name. A rate that differs has scalars of its own (`lr.1`). */
export interface GroupedOptimizer extends Omit<Optimizer, "step"> {
  /** One step of the parameter of that name. */
  readonly step: (name: string, context: Omit<Parameters<Optimizer["step"]>[0], "decay">) => Stepped;
}

/**
 * @param parameters  of the network, by name
 * @param rules  all that match a parameter apply; of two that set the same, the later counts
 * @throws TemperError `bad-option`; `not-found` where a rule matches no parameter
 */
export const groupParameters = <S extends OptionSpec>(
  type: OptimizerType<S>,
  given: OptionInput<S>,
  parameters: Readonly<Record<string, { readonly role: Role }>>,
  rules: readonly ParameterRule[] = [],
): GroupedOptimizer => {
  const base = createOptimizer(type, given);
  rules.forEach((rule) => checkRule(rule, parameters));
  const groups = new Map<string, Group>();
  const members = new Map(
    Object.entries(parameters).map(([name, { role }]) => {
      const { lr, weightDecay } = settingsOf(name, role, [...USUAL, ...rules]);
      const key = `${lr} ${weightDecay || ""}`; // without decay, the base optimizer leaves it out by itself
      const group = groups.get(key) ?? {
        optimizer: weightDecay ? createOptimizer(type, { ...given, weightDecay }) : base,
        lr,
        suffix: groups.size === 0 ? "" : `.${groups.size}`,
      };
      groups.set(key, group);
      return [name, { group, decay: weightDecay !== 0 }] as const;
    }),
  );
  const all = [...groups.values()];
  return {
    name: base.name,
    slots: base.slots,
    init: base.init,
    scalarNames: all.flatMap(({ optimizer, suffix }) => optimizer.scalarNames.map((scalar) => scalar + suffix)),
    scalars: (lr, step) =>
      Object.fromEntries(
        all.flatMap(({ optimizer, lr: factor, suffix }) =>
          Object.entries(optimizer.scalars(lr * factor, step)).map(([scalar, value]) => [scalar + suffix, value]),
        ),
      ),
    step: (name, context) => {
      const member = members.get(name);
      if (!member) throw new TemperError("not-found", `${base.name}: "${name}" is none of its parameters.`);
      const { optimizer, suffix } = member.group;
      const own = optimizer.scalarNames.map((scalar) => [scalar, context.scalars[scalar + suffix]!]);
      return optimizer.step({ ...context, scalars: Object.fromEntries(own) as Values, decay: member.decay });
    },
  };
};

interface Group {
  readonly optimizer: Optimizer;
  readonly lr: number;
  /** Of the names of its scalars. */
  readonly suffix: string;
}

const settingsOf = (
  name: string,
  role: Role,
  rules: readonly ParameterRule[],
): { readonly lr: number; readonly weightDecay?: number } =>
  rules
    .filter((rule) => matches(rule, name, role))
    .reduce<{ lr: number; weightDecay?: number }>((settings, { match: _, ...set }) => ({ ...settings, ...set }), {
      lr: 1,
    });

const ROLES: Readonly<Record<Role, true>> = { weight: true, bias: true, scale: true };

const matches = ({ match }: ParameterRule, name: string, role: Role): boolean =>
  Object.hasOwn(ROLES, match) ? match === role : glob(match).test(name);

const glob = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

const checkRule = (rule: ParameterRule, parameters: Readonly<Record<string, { readonly role: Role }>>): void => {
  const names = Object.keys(parameters);
  if (names.some((name) => matches(rule, name, parameters[name]!.role))) return;
  const near = nearest(rule.match, [...Object.keys(ROLES), ...names]);
  throw new TemperError(
    "not-found",
    `No parameter matches "${rule.match}".${near ? ` Did you mean ${near}?` : ""} A rule names a role (${Object.keys(ROLES).join(", ")}) or parameters such as ${names[0] ?? "conv1.weight"}, with * for any characters.`,
  );
};

const ruleOptions = {
  lr: float({ default: 1, min: 0, help: "factor of the learning rate" }),
  weightDecay: float({ default: 0, min: 0, help: "in place of the optimizer's" }),
};

/** `head.*:lr=0.1,weight-decay=0`, as on the command line. @throws TemperError `bad-option` */
export const parseRule = (text: string): ParameterRule => {
  const at = text.lastIndexOf(":"),
    match = text.slice(0, at);
  const pairs = text
    .slice(at + 1)
    .split(",")
    .map((pair) => pair.split("=") as [string, string | undefined]);
  if (at <= 0 || pairs.some(([, value]) => value === undefined))
    throw new TemperError("bad-option", `A rule has the form pattern:lr=x,weight-decay=x, got "${text}".`);
  const given = Object.fromEntries(
    pairs.map(([key, value]) => [key.trim() === "weight-decay" ? "weightDecay" : key.trim(), value]),
  );
  const values = resolveOptions(`rule ${match}`, ruleOptions, given);
  return {
    match,
    ...("lr" in given && { lr: values.lr }),
    ...("weightDecay" in given && { weightDecay: values.weightDecay }),
  };
};
