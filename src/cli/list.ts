import { type AnyRule, type AnyStart, attacks, rules, starts, stops } from "../attack/index.ts";
import { flagName, type OptionSpec } from "../core/index.ts";
import { type AnyAugmentation, type AnyMixer, augmentations, builtinDatasets, mixers } from "../data/index.ts";
import { losses } from "../loss/index.ts";
import { models } from "../models/index.ts";
import { ops } from "../ops/index.ts";
import {
  type AnyAveraging,
  type AnyOptimizer,
  type AnySchedule,
  averagings,
  optimizers,
  schedules,
} from "../optim/index.ts";
import { formatTable } from "../report/index.ts";
import { type Reproduction, reproductions } from "../reproduce/index.ts";
import { type AnyController, type AnyRecipe, controllers, recipes } from "../train/index.ts";
import { defineCommand, EXIT } from "./command.ts";

interface Listed {
  readonly name: string;
  readonly summary: string;
  readonly options?: OptionSpec;
}

const gradientOf = (op: { readonly vjp?: unknown; readonly zeroGradient?: string }): string =>
  op.vjp ? "differentiable" : op.zeroGradient === undefined ? "no gradient rule" : `gradient zero: ${op.zeroGradient}`;

const registries: Readonly<Record<string, () => readonly Listed[]>> = {
  attacks: () => Object.values(attacks),
  models: () => Object.values(models),
  losses: () => Object.values(losses),
  recipes: () => Object.values<AnyRecipe>(recipes),
  systems: () =>
    Object.values<Reproduction>(reproductions).map(({ slug, title, source, kinds }) => ({
      name: slug,
      summary: `${title} (${source}); data: ${kinds.join(", ")}`,
    })),
  starts: () => Object.values<AnyStart>(starts),
  rules: () => Object.values<AnyRule>(rules),
  stops: () => Object.values(stops),
  controllers: () => Object.values<AnyController>(controllers),
  augmentations: () => [...Object.values<AnyAugmentation>(augmentations), ...Object.values<AnyMixer>(mixers)],
  optimizers: () => Object.values<AnyOptimizer>(optimizers),
  schedules: () => Object.values<AnySchedule>(schedules),
  averages: () => Object.values<AnyAveraging>(averagings),
  data: () =>
    Object.entries(builtinDatasets).map(([name, { summary, kind }]) => ({
      name,
      summary: kind === "fetched" ? `${summary}; once: temper data fetch ${name}` : summary,
    })),
  operators: () => Object.entries(ops).map(([name, op]) => ({ name, summary: gradientOf(op) })),
};

export const listCommand = defineCommand({
  name: "list",
  summary: "List attacks, models, losses, recipes and their parts, reproduced systems, data sets or operators.",
  positionals: [{ name: "what", help: "what to list", optional: true, choices: Object.keys(registries) }],
  options: {},
  examples: ["temper list", "temper list attacks", "temper list operators --json"],
  run: async ({ args, output }) => {
    const wanted = args[0] === undefined ? Object.keys(registries).filter((name) => name !== "operators") : [args[0]];
    const found = Object.fromEntries(wanted.map((name) => [name, registries[name]!()]));
    for (const [name, rows] of Object.entries(found)) {
      output.print(`${name}:`);
      output.print(
        formatTable(
          [],
          rows.flatMap((row) => [[`  ${row.name}`, row.summary], ...optionRows(row)]),
        ),
      );
      output.print("");
    }
    output.document(
      Object.fromEntries(
        Object.entries(found).map(([name, rows]) => [
          name,
          rows.map(({ name: item, summary, options }) => ({
            name: item,
            summary,
            ...(options && { options: describeOptions(options) }),
          })),
        ]),
      ),
    );
    return EXIT.done;
  },
});

const optionRows = ({ options = {} }: Listed): string[][] =>
  Object.entries(options).map(([name, option]) => [
    `    ${flagName(name)}=`,
    `${option.help}; ${option.expected} (default ${String(option.default)})`,
  ]);

const describeOptions = (options: OptionSpec): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([name, { default: value, expected, help }]) => [
      name,
      { default: value, expected, help },
    ]),
  );
