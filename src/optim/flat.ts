import type { Option, OptionSpec } from "../core/index.ts";

type Members = Readonly<Record<string, { readonly options: OptionSpec }>>;
type NamesIn<M extends Members, T extends keyof M = keyof M> = T extends keyof M
  ? keyof M[T]["options"] & string
  : never;

/** Options of all members of a registry in one record, as a command line has them. */
export interface FlatOptions<K extends string> {
  /** None is set by default: what a member is not told is its own default. */
  readonly options: Readonly<Record<K, Option<unknown>>>;
  /** What was set of them, under the names of the members' records, for `createOptimizer` and its like. */
  readonly given: (values: Readonly<Record<string, unknown>>) => Record<string, unknown>;
}

/** @param clashing  names that mean something else beside the registry, and what they are called instead */
export const flatOptions = <M extends Members, const C extends Readonly<Record<string, string>> = {}>(
  registry: M,
  clashing?: C,
): FlatOptions<Exclude<NamesIn<M>, keyof C> | C[keyof C]> => {
  const called = (name: string): string => clashing?.[name] ?? name;
  const names = [...new Set(Object.values(registry).flatMap(({ options }) => Object.keys(options)))];
  const options = names.map((name) => {
    const owners = Object.entries(registry).filter(([, { options: own }]) => Object.hasOwn(own, name));
    const option = owners[0]![1].options[name]!;
    return [called(name), { ...option, default: undefined, help: `${option.help}; ${defaultsText(owners, name)}` }];
  });
  return {
    options: Object.fromEntries(options) as never,
    given: (values) =>
      Object.fromEntries(
        names.flatMap((name) => {
          const value = values[called(name)];
          return value === undefined ? [] : [[name, value]];
        }),
      ),
  };
};

/** `default of sgd, sgdw 0.9`; `default of adam 0.999, of lion 0.99`. */
const defaultsText = (
  owners: readonly (readonly [string, { readonly options: OptionSpec }])[],
  name: string,
): string => {
  const by = new Map<string, string[]>();
  for (const [owner, { options }] of owners) {
    const value = String(options[name]!.default);
    by.set(value, [...(by.get(value) ?? []), owner]);
  }
  return `default ${[...by].map(([value, of]) => `of ${of.join(", ")} ${value}`).join(", ")}`;
};
