import type { Graph } from "temper/graph";
import type { Feeds } from "temper/runtime";

export const cases: Readonly<Record<string, { readonly graph: Graph; readonly feeds: Feeds }>>;
