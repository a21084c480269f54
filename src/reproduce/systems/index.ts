import type { Reproduction } from "../reproduction.ts";
import { trades } from "./trades.ts";

/** Every reproduced system by slug. Command line, documentation and tests read this object. */
export const reproductions = { trades } satisfies Record<string, Reproduction>;
export type Slug = keyof typeof reproductions;
