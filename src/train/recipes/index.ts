import { type OptionInput, resolveOptions } from "../../core/index.ts";
import { trainOptions, type TrainOptions } from "../options.ts";
import type { AnyRecipe } from "../recipe.ts";
import { pgdAt } from "./pgd-at.ts";
import { standard } from "./standard.ts";
import { trades } from "./trades.ts";

/** Every recipe by name. Command line, documentation and tests read this object. */
export const recipes = { standard, "pgd-at": pgdAt, trades } satisfies Record<string, AnyRecipe>;
export type RecipeName = keyof typeof recipes;

/** All options of a run: what is given, else what the recipe sets, else the defaults. @throws TemperError `bad-option` */
export const settingsOf = (
  { settings = {} }: Pick<AnyRecipe, "settings">,
  given: OptionInput<typeof trainOptions> = {},
): TrainOptions => {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return resolveOptions("train", trainOptions, { ...settings, ...Object.fromEntries(set) });
};
