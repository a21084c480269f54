import type { AnyRecipe } from "../recipe.ts";
import { pgdAt } from "./pgd-at.ts";
import { standard } from "./standard.ts";
import { trades } from "./trades.ts";

/** Every recipe by name. Command line, documentation and tests read this object. */
export const recipes = { standard, "pgd-at": pgdAt, trades } satisfies Record<string, AnyRecipe>;
export type RecipeName = keyof typeof recipes;
