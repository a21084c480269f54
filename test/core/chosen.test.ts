import { choice, chosenFrom, float, formatChosen, int, numbers, readChosen, resolveOptions } from "temper/core";
import { describe, expect, it } from "vitest";

const registry = {
  plain: { options: {} },
  uniform: { options: { scale: float({ default: 1, min: 0, help: "" }), maxSteps: int({ default: 3, help: "" }) } },
  step: {
    options: {
      milestones: numbers({ default: [0.5], help: "" }),
      kind: choice(["a", "b"], { default: "a", help: "" }),
    },
  },
};
const start = chosenFrom("start", registry, { default: "uniform:scale=2", help: "where to begin" });
const resolve = (given?: unknown): unknown => resolveOptions("train", { start }, { start: given } as never).start;

describe("an option that names a member of a registry", () => {
  it("is read with that member's options, from text or a record, and filled up with its defaults", () => {
    expect(resolve()).toEqual({ name: "uniform", options: { scale: 2, maxSteps: 3 } });
    expect(resolve("plain")).toEqual({ name: "plain", options: {} });
    expect(resolve("uniform:max-steps=5,scale=0.5")).toEqual({ name: "uniform", options: { scale: 0.5, maxSteps: 5 } });
    expect(resolve("step:milestones=0.2:0.4,kind=b")).toEqual({
      name: "step",
      options: { milestones: [0.2, 0.4], kind: "b" },
    });
    expect(resolve({ name: "uniform", options: { scale: 3 } })).toEqual({
      name: "uniform",
      options: { scale: 3, maxSteps: 3 },
    });
    expect(resolve(resolve("step:milestones=0.2:0.4"))).toEqual(resolve("step:milestones=0.2:0.4"));
  });

  it("is written as it is read", () => {
    for (const text of ["plain", "uniform:scale=0.5", "step:milestones=0.2:0.4,kind=b"])
      expect(formatChosen(readChosen("start", text)).replace(",0.4", ":0.4")).toBe(text);
    expect(resolve(formatChosen(resolve("step:milestones=0.2:0.4") as never))).toEqual(
      resolve("step:milestones=0.2:0.4"),
    );
  });

  it("names what does not fit", () => {
    expect(() => resolve("unifrom")).toThrow(/No start is called "unifrom"\. Did you mean uniform\?/);
    expect(() => resolve("uniform:scal=1")).toThrow(/start uniform has no option scal\. Did you mean scale/);
    expect(() => resolve("plain:scale=1")).toThrow(/start plain has no option scale/);
    expect(() => resolve("uniform:scale")).toThrow(/start uniform:scale: "scale" must have the form option=value/);
    expect(() => resolve("uniform:scale=-1")).toThrow(/start uniform: scale must be .*, got -1/);
    expect(() => resolve("uniform:scale=x")).toThrow(/start uniform: scale must be .*, got x/);
    expect(() => resolve(7)).toThrow(/train: start must be one of plain, uniform, step, .*got 7/);
  });
});
