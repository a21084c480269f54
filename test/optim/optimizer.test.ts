import { evaluateGraph } from "temper/ops";
import { trace } from "temper/graph";
import { createOptimizer, type Optimizer, optimizers, stateName } from "temper/optim";
import { describe, expect, it } from "vitest";

type Numbers = Record<string, number>;

/** One step on a parameter of one element in float64, through the graph. */
const stepper = (optimizer: Optimizer, decay = true) => {
  const names = ["param", "gradient", ...optimizer.slots.map((s) => `state.${s}`), ...optimizer.scalarNames];
  const type = (name: string) => ({
    dtype: "float64" as const,
    shape: optimizer.scalarNames.includes(name) ? [] : [1],
  });
  const graph = trace("step", Object.fromEntries(names.map((n) => [n, type(n)])), (v) => {
    const state = Object.fromEntries(optimizer.slots.map((s) => [s, v[`state.${s}`]!]));
    const scalars = Object.fromEntries(optimizer.scalarNames.map((s) => [s, v[s]!]));
    const next = optimizer.step({ param: v["param"]!, gradient: v["gradient"]!, state, scalars, decay });
    return { param: next.param, ...Object.fromEntries(Object.entries(next.state).map(([s, x]) => [`state.${s}`, x])) };
  });
  return (values: Numbers): Numbers => {
    const feeds = names.map((n) => [n, { ...type(n), data: Float64Array.of(values[n]!) }] as const);
    const out = evaluateGraph(graph, Object.fromEntries(feeds));
    return Object.fromEntries(Object.entries(out).map(([n, a]) => [n, a.data[0]!]));
  };
};

/** The parameter after each of `count` steps; the gradient at p is `slope(p, step)`. */
const run = (
  optimizer: Optimizer,
  start: number,
  count: number,
  lr: (step: number) => number,
  decay = true,
): number[] => {
  const step = stepper(optimizer, decay);
  let values: Numbers = { param: start, ...Object.fromEntries(optimizer.slots.map((s) => [`state.${s}`, 0])) };
  return Array.from({ length: count }, (_, i) => {
    const gradient = slope(values["param"]!, i);
    values = step({ ...values, gradient, ...optimizer.scalars(lr(i + 1), i + 1) });
    return values["param"]!;
  });
};
const slope = (p: number, i: number): number => 2 * p + Math.sin(3 * i);

const close = (a: readonly number[], b: readonly number[]): void =>
  a.forEach((v, i) => expect(v).toBeCloseTo(b[i]!, 12));

describe("sgd", () => {
  it("is known by hand: p = 1, gradient 2p + sin 3i, momentum 0.5, rate 0.1", () => {
    // v1 = 2, p1 = 0.8; v2 = 1 + 1.6 + sin 3, p2 = 0.8 - 0.26 - 0.1 sin 3
    close(
      run(createOptimizer(optimizers.sgd, { momentum: 0.5 }), 1, 2, () => 0.1),
      [0.8, 0.54 - 0.1 * Math.sin(3)],
    );
    // plain: p1 = 0.8, p2 = 0.8 - 0.16 - 0.1 sin 3
    close(
      run(createOptimizer(optimizers.sgd, { momentum: 0 }), 1, 2, () => 0.1),
      [0.8, 0.64 - 0.1 * Math.sin(3)],
    );
    // Nesterov: p1 = 1 - 0.1 (2 + 0.5 * 2) = 0.7
    close(
      run(createOptimizer(optimizers.sgd, { momentum: 0.5, nesterov: true }), 1, 1, () => 0.1),
      [0.7],
    );
    // decay 0.5 adds 0.5 p to the gradient: p1 = 1 - 0.1 * 2.5; exempt parameters: 0.8
    const decayed = createOptimizer(optimizers.sgd, { momentum: 0.5, weightDecay: 0.5 });
    close(
      run(decayed, 1, 1, () => 0.1),
      [0.75],
    );
    close(
      run(decayed, 1, 1, () => 0.1, false),
      [0.8],
    );
  });

  it.each([false, true])("follows the recurrence for 30 steps with a changing rate (nesterov %s)", (nesterov) => {
    const lr = (step: number): number => 0.2 / step;
    let p = 3,
      v = 0;
    const expected = Array.from({ length: 30 }, (_, i) => {
      const g = slope(p, i) + 0.01 * p;
      v = 0.9 * v + g;
      p -= lr(i + 1) * (nesterov ? g + 0.9 * v : v);
      return p;
    });
    close(run(createOptimizer(optimizers.sgd, { momentum: 0.9, nesterov, weightDecay: 0.01 }), 3, 30, lr), expected);
  });

  it("refuses nesterov without momentum", () => {
    expect(() => stepper(createOptimizer(optimizers.sgd, { momentum: 0, nesterov: true }))).toThrow(/nesterov needs/);
  });
});

describe("adam and adamw", () => {
  it("first moves by the rate against the sign of the gradient, whatever its size", () => {
    for (const start of [1e-4, 1, 1e5])
      for (const type of [optimizers.adam, optimizers.adamw]) {
        const [p] = run(createOptimizer(type, { weightDecay: 0, epsilon: 0 }), start, 1, () => 0.01);
        expect(start - p!).toBeCloseTo(0.01, 10);
      }
  });

  it.each(["adam", "adamw"] as const)("%s follows the paper's recurrence for 50 steps", (name) => {
    const lr = (step: number): number => 0.05 * 0.97 ** step,
      wd = 0.1;
    let p = -2,
      m = 0,
      v = 0;
    const expected = Array.from({ length: 50 }, (_, i) => {
      const g = slope(p, i) + (name === "adam" ? wd * p : 0);
      if (name === "adamw") p -= lr(i + 1) * wd * p;
      m = 0.8 * m + (1 - 0.8) * g;
      v = 0.95 * v + (1 - 0.95) * g * g;
      const mHat = m / (1 - 0.8 ** (i + 1)),
        vHat = v / (1 - 0.95 ** (i + 1));
      p -= (lr(i + 1) * mHat) / (Math.sqrt(vHat) + 1e-3);
      return p;
    });
    const options = { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay: wd };
    close(run(createOptimizer(optimizers[name], options), -2, 50, lr), expected);
  });

  it("adamw exempts parameters from decay", () => {
    const options = { weightDecay: 0.5, epsilon: 0 };
    close(
      run(createOptimizer(optimizers.adamw, options), 1, 1, () => 0.1),
      [0.95 - 0.1],
    );
    close(
      run(createOptimizer(optimizers.adamw, options), 1, 1, () => 0.1, false),
      [0.9],
    );
  });
});

describe("sgdw", () => {
  it.each([false, true])("shrinks the parameter beside the velocity, never through it (nesterov %s)", (nesterov) => {
    const lr = (step: number): number => 0.2 / step,
      wd = 0.3;
    let p = 3,
      v = 0;
    const expected = Array.from({ length: 30 }, (_, i) => {
      const g = slope(p, i);
      v = 0.9 * v + g;
      p = (1 - lr(i + 1) * wd) * p - lr(i + 1) * (nesterov ? g + 0.9 * v : v);
      return p;
    });
    close(run(createOptimizer(optimizers.sgdw, { momentum: 0.9, nesterov, weightDecay: wd }), 3, 30, lr), expected);
  });

  it("exempts parameters from decay", () => {
    const decayed = createOptimizer(optimizers.sgdw, { momentum: 0, weightDecay: 0.5 });
    close(
      run(decayed, 1, 1, () => 0.1),
      [0.95 - 0.2],
    );
    close(
      run(decayed, 1, 1, () => 0.1, false),
      [0.8],
    );
  });
});

describe("lion", () => {
  it("is known by hand: p = 1, gradients 2, then opposite to the mean", () => {
    // u1 = sign(0.1 * 2) = 1, p1 = 0.9 (decay 1: 1 - 0.1), less 0.1 = 0.8; m1 = 0.01 * 2
    close(
      run(createOptimizer(optimizers.lion, { weightDecay: 1 }), 1, 1, () => 0.1),
      [0.8],
    );
    close(
      run(createOptimizer(optimizers.lion, { weightDecay: 1 }), 1, 1, () => 0.1, false),
      [0.9],
    );
  });

  it("follows the paper's recurrence for 60 steps, in which the direction turns", () => {
    const lr = (step: number): number => 0.1 * 0.98 ** step,
      wd = 0.2;
    let p = 1.5,
      m = 0,
      turns = 0,
      last = 1;
    const expected = Array.from({ length: 60 }, (_, i) => {
      const g = slope(p, i),
        u = Math.sign(0.8 * m + (1 - 0.8) * g);
      m = 0.95 * m + (1 - 0.95) * g;
      p = (1 - lr(i + 1) * wd) * p - lr(i + 1) * u;
      if (u !== last) turns++;
      last = u;
      return p;
    });
    expect(turns).toBeGreaterThan(5);
    close(run(createOptimizer(optimizers.lion, { beta1: 0.8, beta2: 0.95, weightDecay: wd }), 1.5, 60, lr), expected);
  });
});

describe("optimizers", () => {
  it("start their state at zero, under names of parameter and slot", () => {
    const state = createOptimizer(optimizers.adam).init({ "a.weight": [2, 3], b: [4] });
    expect(Object.keys(state)).toEqual(["a.weight/mean", "a.weight/meanSquare", "b/mean", "b/meanSquare"]);
    expect(state[stateName("a.weight", "mean")]).toEqual({
      dtype: "float32",
      shape: [2, 3],
      data: new Float32Array(6),
    });
    expect(createOptimizer(optimizers.sgd, { momentum: 0 }).init({ a: [1] })).toEqual({});
  });

  it("refuse unknown options and missing pieces", () => {
    expect(() => createOptimizer(optimizers.sgd, { momentun: 1 } as never)).toThrow(/Did you mean momentum/);
    const sgd = createOptimizer(optimizers.sgd);
    expect(() => sgd.step({ param: null!, gradient: null!, state: {}, scalars: {} })).toThrow(/state slot velocity/);
  });

  it.each(Object.keys(optimizers))("%s descends a quadratic", (name) => {
    const optimizer = createOptimizer(optimizers[name as keyof typeof optimizers] as typeof optimizers.adam, {});
    const step = stepper(optimizer);
    let values: Numbers = { param: 1, ...Object.fromEntries(optimizer.slots.map((s) => [`state.${s}`, 0])) };
    for (let i = 1; i <= 300; i++)
      values = step({ ...values, gradient: values["param"]!, ...optimizer.scalars(0.02, i) });
    expect(Math.abs(values["param"]!)).toBeLessThan(name === "lion" ? 0.05 : 1e-2); // its steps are as long as the rate
  });
});
