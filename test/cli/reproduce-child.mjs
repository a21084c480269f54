// `temper reproduce` over systems of this file, as a process of its own: node reproduce-child.mjs <arguments>
import { reproduceCommandOf, runOne } from "../../dist/cli/index.js";
import { defineReproduction, inTheMean, onEverySeed } from "../../dist/reproduce/index.js";

/** An epoch of training on 200 examples: seconds. */
const arm = (steps) => ({
  recipe: "pgd-at",
  model: "co-net",
  modelOptions: { filters: 2 },
  options: { epochs: 2, batchSize: 50, epsilon: 0.1, lr: 0.01, optimizer: "adam", steps },
  examples: 200,
  measure: { epsilon: 0.1, examples: 50, steps: 3 },
});

const claim = (text, value, sign, bound, rest) => ({
  text,
  required: true,
  threshold: "page",
  unit: "percent",
  value,
  sign,
  bound,
  ...rest,
});
const evident = onEverySeed(
  claim("PGD accuracy is at most clean accuracy", (m) => m.pgd - m.clean, "<=", 0, {
    unit: "points",
    published: "34.04 % and 84.92 % on CIFAR-10 (a paper, table 5)",
  }),
);
const absurd = (required) =>
  inTheMean(
    claim("clean accuracy is at least 200 %", (m) => m.clean, ">=", 2, { required, threshold: "calibrated on seed 9" }),
  );
const small = async ({ arm: trained }) => {
  const [one, two] = [await trained("one step", arm(1)), await trained("two steps", arm(2))];
  return { clean: one.clean, pgd: one.pgd, "clean, two steps": two.clean };
};

const system = (slug, claims, kinds = ["glyphs"]) =>
  defineReproduction({
    slug,
    title: `An experiment of seconds, ${slug}`,
    source: "this test",
    kinds,
    small,
    claims: () => claims,
    full: { data: "cifar10", ...arm(1), options: { ...arm(1).options, epochs: 1 } },
    notes: ["<b>Networks of two filters learn little.</b>"],
  });
const systems = {
  holds: system("holds", [evident, absurd(false)]),
  fails: system("fails", [evident, absurd(true)]),
  photographs: system("photographs", [evident], ["cifar10"]),
};
process.exitCode = await runOne(reproduceCommandOf(systems), process.argv.slice(2));
