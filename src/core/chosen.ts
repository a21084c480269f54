import { type Chosen, type Option, type OptionSpec, resolveOptions } from "./options.ts";
import { lookup, TemperError } from "./error.ts";

/** What a registry's members have to have. */
type Registry = Readonly<Record<string, { readonly options?: OptionSpec }>>;

/**
 * An option that names a member of a registry with that member's options: `uniform`, `uniform:scale=2`,
 * `step:milestones=0.5:0.75,gamma=0.2` (lists by colons), or `{ name, options }`.
 *
 * @param what  names the option in messages ("start"). What a member does not have is a TemperError `bad-option` there
 */
export const chosenFrom = (
  what: string,
  registry: Registry,
  spec: { readonly default: string; readonly help: string },
): Option<Chosen> => {
  const parse = (given: unknown): Chosen | undefined => {
    const { name, options } = typeof given === "string" ? readChosen(what, given) : ((given ?? {}) as Chosen);
    if (typeof name !== "string") return undefined;
    const own = lookup(registry, name, what).options ?? {};
    const lists = Object.entries(options ?? {}).map(([key, value]) =>
      typeof value === "string" && own[key]?.kind === "list" ? [key, value.replaceAll(":", ",")] : [key, value],
    );
    return { name, options: resolveOptions(`${what} ${name}`, own, Object.fromEntries(lists) as Chosen["options"]) };
  };
  return {
    kind: "chosen",
    default: parse(spec.default)!,
    help: spec.help,
    expected: `one of ${Object.keys(registry).join(", ")}, with options such as name:option=value`,
    parse,
  };
};

/** `name:option=value,other-option=value`. @throws TemperError `bad-option` */
export const readChosen = (what: string, given: string): Chosen => {
  const [name = "", ...rest] = given.split(":");
  const pairs = rest.join(":").split(",").filter(Boolean);
  const options = pairs.map((pair): [string, string] => {
    const at = pair.indexOf("=");
    if (at <= 0) throw new TemperError("bad-option", `${what} ${given}: "${pair}" must have the form option=value.`);
    return [pair.slice(0, at).replaceAll(/-([a-z])/g, (_, c: string) => c.toUpperCase()), pair.slice(at + 1)];
  });
  return { name, options: Object.fromEntries(options) };
};

/** The way back, for messages and flags: `uniform:scale=2`. */
export const formatChosen = ({ name, options }: Chosen): string => {
  const pairs = Object.entries(options).map(
    ([key, value]) => `${key}=${Array.isArray(value) ? value.join(":") : String(value)}`,
  );
  return pairs.length > 0 ? `${name}:${pairs.join(",")}` : name;
};
