import { type OptionInput, resolveOptions } from "../../core/index.ts";
import { flatOptimizer, flatSchedule } from "../../optim/index.ts";
import { trainOptions, type TrainOptions } from "../options.ts";
import type { AnyRecipe } from "../recipe.ts";
import { awp } from "./awp.ts";
import { backwardSmoothing } from "./backward-smoothing.ts";
import { bagOfTricksFgsm } from "./bag-of-tricks-fgsm.ts";
import { dial } from "./dial.ts";
import { fastAt } from "./fast-at.ts";
import { fastBat } from "./fast-bat.ts";
import { foscDynamic } from "./fosc-dynamic.ts";
import { freeAt } from "./free-at.ts";
import { fwAtAdapt } from "./fw-at-adapt.ts";
import { gradAlign } from "./grad-align.ts";
import { interpolatedAt } from "./interpolated-at.ts";
import { mart } from "./mart.ts";
import { nFgsm } from "./n-fgsm.ts";
import { pgdAt } from "./pgd-at.ts";
import { slat } from "./slat.ts";
import { stability } from "./stability.ts";
import { standard } from "./standard.ts";
import { trades } from "./trades.ts";

/** Every recipe by name. Command line, documentation and tests read this object. */
export const recipes = {
  standard,
  "pgd-at": pgdAt,
  trades,
  mart,
  "fast-at": fastAt,
  "free-at": freeAt,
  "n-fgsm": nFgsm,
  "grad-align": gradAlign,
  "bag-of-tricks-fgsm": bagOfTricksFgsm,
  "fast-bat": fastBat,
  "backward-smoothing": backwardSmoothing,
  "fosc-dynamic": foscDynamic,
  slat,
  "fw-at-adapt": fwAtAdapt,
  awp,
  stability,
  "interpolated-at": interpolatedAt,
  dial,
} satisfies Record<string, AnyRecipe>;
export type RecipeName = keyof typeof recipes;

/**
 * All options of a run: what is given, else what the recipe sets, else the defaults. What is given has to be read; what
 * a recipe sets for an optimizer or schedule that another took the place of is not.
 * @throws TemperError `bad-option`
 */
export const settingsOf = (
  { settings = {} }: Pick<AnyRecipe, "settings">,
  given: OptionInput<typeof trainOptions> = {},
): TrainOptions => {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const resolved = resolveOptions("train", trainOptions, { ...settings, ...Object.fromEntries(set) });
  flatOptimizer.check(resolved.optimizer, given);
  flatSchedule.check(resolved.schedule, given);
  return resolved;
};
