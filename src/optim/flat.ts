import { type Option, type OptionSpec, TemperError } from "../core/index.ts";

type Members = Readonly<Record<string, { readonly options: OptionSpec }>>;
type NamesIn<M extends Members, T extends keyof M = keyof M> = T extends keyof M
  ? keyof M[T]["options"] & string
  : never;

/** Options of all members of a registry in one record, as a command line has them. */
export interface FlatOptions<K extends string, N extends string> {
  /** None is set by default: what a member is not told is its own default. */
  readonly options: Readonly<Record<K, Option<unknown>>>;
  /** What was set of those that a member reads, by the names of its record, for `createOptimizer` and its like. */
  readonly given: (member: N, values: Readonly<Record<string, unknown>>) => Record<string, unknown>;
  /** @throws TemperError `bad-option`: something was set that the member does not read */
  readonly check: (member: N, values: Readonly<Record<string, unknown>>) => void;
}

/**
 * @param what  names the registry in messages ("optimizer")
 * @param clashing  names that mean something else beside the registry, and what they are called instead
 */
export const flatOptions = <M extends Members, const C extends Readonly<Record<string, string>> = {}>(
  what: string,
  registry: M,
  clashing?: C,
): FlatOptions<Exclude<NamesIn<M>, keyof C> | C[keyof C], keyof M & string> => {
  const called = (name: string): string => clashing?.[name] ?? name;
  const names = [...new Set(Object.values(registry).flatMap(({ options }) => Object.keys(options)))];
  const ownersOf = (name: string): (readonly [string, M[keyof M]])[] =>
    (Object.entries(registry) as [string, M[keyof M]][]).filter(([, { options }]) => Object.hasOwn(options, name));
  const reads = (member: string, name: string): boolean => Object.hasOwn(registry[member]!.options, name);
  const options = names.map((name) => {
    const owners = ownersOf(name);
    const option = owners[0]![1].options[name]!;
    return [called(name), { ...option, default: undefined, help: `${option.help}; ${defaultsText(owners, name)}` }];
  });
  return {
    options: Object.fromEntries(options) as never,
    given: (member, values) =>
      Object.fromEntries(
        names.flatMap((name) => {
          const value = values[called(name)];
          return value === undefined || !reads(member, name) ? [] : [[name, value]];
        }),
      ),
    check: (member, values) => {
      const foreign = names.find((name) => values[called(name)] !== undefined && !reads(member, name));
      if (foreign !== undefined)
        throw new TemperError(
          "bad-option",
          `${what} ${member} has no option ${called(foreign)}, which is of ${ownersOf(foreign)
            .map(([owner]) => owner)
            .join(", ")}. Leave it out, or choose one of these.`,
        );
    },
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
