import { f32, type OptionSpec, resolveOptions, toFloat64 } from "temper/core";
import { createGraph, input, type Value } from "temper/graph";
import { evaluateGraph } from "temper/ops";
import {
  clipByGlobalNorm,
  createOptimizer,
  flatOptimizer,
  flatSchedule,
  groupParameters,
  optimizers,
  parseRule,
  schedules,
} from "temper/optim";
import { compile } from "temper/runtime";
import { describe, expect, it } from "vitest";

describe("clipByGlobalNorm", () => {
  const a = input("a", "float32", [2, 2]),
    b = input("b", "float32", [3]);
  const clipped = (limit: number) => {
    const { gradients, norm } = clipByGlobalNorm({ a, b }, limit);
    return createGraph("clip", [a, b], { "clipped.a": gradients["a"]!, "clipped.b": gradients["b"]!, norm });
  };
  const feeds = { a: f32([1, -2, 2, 0], [2, 2]), b: f32([4, -12, 6]) }; // lengths 3 and 14: together sqrt(205)

  it("shortens all by one factor to the limit", async () => {
    using program = await compile(clipped(2));
    const out = await program.run(feeds);
    const length = Math.sqrt(205);
    expect(out["norm"]!.data[0]).toBeCloseTo(length, 5);
    for (const name of ["a", "b"] as const)
      toFloat64(out[`clipped.${name}`]!).forEach((v, i) =>
        expect(v).toBeCloseTo((feeds[name].data[i]! * 2) / length, 6),
      );
  });

  it("leaves gradients within the limit as they are, to the bit", async () => {
    using program = await compile(clipped(14.4));
    const out = await program.run({ ...feeds, b: f32([4.1, -12, 6]) });
    expect(out["clipped.a"]!.data).toEqual(feeds.a.data);
    expect(out["clipped.b"]!.data).toEqual(Float32Array.of(4.1, -12, 6));
    const zero = await program.run({ a: f32(new Float32Array(4), [2, 2]), b: f32(new Float32Array(3)) });
    expect([zero["norm"]!.data[0], ...zero["clipped.a"]!.data]).toEqual([0, 0, 0, 0, 0]);
  });

  it("lets no gradient pass that is no number", async () => {
    using program = await compile(clipped(2));
    const out = await program.run({ ...feeds, b: f32([1, NaN, 1]) });
    expect(out["norm"]!.data[0]).toBeNaN();
    expect(out["clipped.a"]!.data[0]).toBeNaN();
  });

  it("refuses limits that make no sense", () => {
    expect(() => clipByGlobalNorm({ a }, 0)).toThrow(/limit above 0/);
    expect(() => clipByGlobalNorm({}, 1)).toThrow(/and a gradient/);
  });
});

const parameters = {
  "conv1.weight": { role: "weight" },
  "conv1.bias": { role: "bias" },
  "norm.weight": { role: "scale" },
  "head.weight": { role: "weight" },
  "head.bias": { role: "bias" },
} as const;
type Name = keyof typeof parameters;

/** Every parameter is 1 with gradient 1; after one step at rate 0.5. */
const stepped = (optimizer: ReturnType<typeof groupParameters>): Record<string, number> => {
  const scalar = (name: string): Value => input(name, "float64", []);
  const scalars = Object.fromEntries(optimizer.scalarNames.map((name) => [name, scalar(name)]));
  const values = Object.fromEntries(Object.keys(parameters).map((name) => [name, scalar(name)]));
  const gradient = scalar("gradient");
  const next = Object.entries(values).map(([name, param]) => {
    const state = Object.fromEntries(optimizer.slots.map((slot) => [slot, gradient]));
    return [`next.${name}`, optimizer.step(name, { param, gradient, state, scalars }).param] as const;
  });
  const inputs = { ...values, gradient, ...scalars };
  const graph = createGraph("step", Object.values(inputs), Object.fromEntries(next));
  const fed = { ...Object.fromEntries(Object.keys(inputs).map((name) => [name, 1])), ...optimizer.scalars(0.5, 1) };
  const out = evaluateGraph(
    graph,
    Object.fromEntries(
      Object.entries(fed).map(([name, v]) => [name, { dtype: "float64", shape: [], data: Float64Array.of(v) }]),
    ),
  );
  return Object.fromEntries(Object.entries(out).map(([name, { data }]) => [name.slice(5), data[0]!]));
};

describe("groupParameters", () => {
  const sgd = { momentum: 0, weightDecay: 0.2 };

  it("without rules is the optimizer, with decay of weights alone and no scalars besides", () => {
    const grouped = groupParameters(optimizers.sgd, sgd, parameters);
    expect(grouped.scalarNames).toEqual(createOptimizer(optimizers.sgd, sgd).scalarNames);
    expect(stepped(grouped)).toEqual({
      "conv1.weight": 1 - 0.5 * 1.2,
      "conv1.bias": 0.5,
      "norm.weight": 0.5,
      "head.weight": 1 - 0.5 * 1.2,
      "head.bias": 0.5,
    });
  });

  it("scales rates and replaces decays, by pattern and by role; the later rule counts", () => {
    const grouped = groupParameters(optimizers.sgd, sgd, parameters, [
      { match: "head.*", lr: 0.1 },
      { match: "bias", weightDecay: 0.4 },
      { match: "conv1.weight", lr: 0 },
      { match: "head.weight", weightDecay: 0, lr: 0.2 },
    ]);
    const expected: Record<Name, number> = {
      "conv1.weight": 1,
      "conv1.bias": 1 - 0.5 * 1.4,
      "norm.weight": 0.5,
      "head.weight": 1 - 0.1,
      "head.bias": 1 - 0.05 * 1.4,
    };
    const found = stepped(grouped);
    for (const [name, value] of Object.entries(expected)) expect(found[name]).toBeCloseTo(value, 14);
  });

  it("a pattern is no regular expression and matches whole names", () => {
    const names = {
      "a.weight": { role: "weight" },
      axweight: { role: "weight" },
      "b.a.weight": { role: "weight" },
    } as const;
    const rates = groupParameters(optimizers.sgd, sgd, names, [{ match: "a.weight", lr: 0 }]).scalarNames;
    expect(rates).toEqual(["lr", "lr.1"]);
    expect(() => groupParameters(optimizers.sgd, sgd, { axweight: { role: "weight" } }, [{ match: "a.*" }])).toThrow(
      /No parameter matches "a\.\*"/,
    );
  });

  it("names a rule that matches nothing", () => {
    expect(() => groupParameters(optimizers.sgd, sgd, parameters, [{ match: "head.weigth", lr: 0.1 }])).toThrow(
      expect.objectContaining({ code: "not-found", message: expect.stringContaining("Did you mean head.weight?") }),
    );
    expect(() => groupParameters(optimizers.sgd, { momentun: 1 } as never, parameters)).toThrow(/momentum/);
  });

  it("reads rules from text", () => {
    expect(parseRule("head.*:lr=1/10,weight-decay=0")).toEqual({ match: "head.*", lr: 0.1, weightDecay: 0 });
    expect(parseRule("bias:lr=2")).toEqual({ match: "bias", lr: 2 });
    expect(() => parseRule("bias")).toThrow(/must have|has the form/);
    expect(() => parseRule("bias:rate=2")).toThrow(/no option rate/);
    expect(() => parseRule("bias:lr=-1")).toThrow(/lr must be a number from 0/);
  });
});

/** Those that mean something else beside their registries. */
const CALLED: Readonly<Record<string, string>> = {
  epsilon: "optimizerEpsilon",
  start: "startFactor",
  end: "endFactor",
};

describe("flat options", () => {
  it("hold every option of every record, unset, and give back what was set under its own name", () => {
    for (const [flat, registry] of [
      [flatOptimizer, optimizers],
      [flatSchedule, schedules],
    ] as const)
      for (const [member, { options }] of Object.entries(registry as Readonly<Record<string, { options: OptionSpec }>>))
        for (const name of Object.keys(options)) {
          const called = CALLED[name] ?? name;
          const option = (flat.options as OptionSpec)[called]!;
          expect(option.default).toBeUndefined();
          expect(flat.given(member as never, { [called]: 7 })).toEqual({ [name]: 7 });
          expect(() => flat.check(member as never, { [called]: 7 })).not.toThrow();
        }
    expect(flatOptimizer.given("sgd", resolveOptions("train", flatOptimizer.options))).toEqual({});
    expect(flatOptimizer.given("adam", { epsilon: 8 / 255 })).toEqual({}); // the radius of the attack
  });

  it("checks as the records do, and says whose defaults hold", () => {
    expect(() => resolveOptions("train", flatOptimizer.options, { beta1: 2 })).toThrow(/beta1 must be a number from 0/);
    expect(flatOptimizer.options.beta2.help).toContain("default of adam, adamw 0.999, of lion 0.99");
  });

  it("gives a member what it reads, and refuses the rest by name", () => {
    expect(flatOptimizer.given("lion", { nesterov: true, beta1: 0.8 })).toEqual({ beta1: 0.8 });
    expect(() => flatOptimizer.check("adam", { beta1: 0.8, momentum: 0.5 })).toThrow(
      "optimizer adam has no option momentum, which is of sgd, sgdw. Leave it out, or choose one of these.",
    );
    expect(() => flatSchedule.check("cosine", { endFactor: 0.1, milestones: undefined })).toThrow(
      "schedule cosine has no option endFactor, which is of one-cycle.",
    );
    flatSchedule.check("cosine", { milestones: undefined, final: 0.1, start: "uniform" });
  });
});
