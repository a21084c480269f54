import { createSchedule, schedules } from "temper/optim";
import { describe, expect, it } from "vitest";

describe("schedules", () => {
  it("constant", () =>
    expect([0, 5, 999].map(createSchedule(schedules.constant, { lr: 0.3, total: 10 }))).toEqual([0.3, 0.3, 0.3]));

  it("step drops exactly at the milestones", () => {
    const rate = createSchedule(schedules.step, { lr: 1, total: 200 }, { milestones: [0.5, 0.75], gamma: 0.1 });
    expect([0, 99, 100, 149, 150, 199].map((s) => +rate(s).toFixed(12))).toEqual([1, 1, 0.1, 0.1, 0.01, 0.01]);
    const odd = createSchedule(schedules.step, { lr: 1, total: 90 }, { milestones: [0.1, 0.7], gamma: 0.5 });
    expect([8, 9, 62, 63].map(odd)).toEqual([1, 0.5, 0.5, 0.25]);
  });

  it("cosine falls from the rate to the final factor, half way in the middle", () => {
    const rate = createSchedule(schedules.cosine, { lr: 2, total: 100 }, { final: 0.1 });
    expect(rate(0)).toBe(2);
    expect(rate(50)).toBeCloseTo(1.1, 12);
    expect(rate(25)).toBeCloseTo(0.2 + 0.9 * (1 + Math.SQRT1_2), 12);
    expect(rate(100)).toBeCloseTo(0.2, 12);
    expect(rate(1000)).toBeCloseTo(0.2, 12);
  });

  it("cyclic interpolates between its knots", () => {
    const rate = createSchedule(schedules.cyclic, { lr: 0.2, total: 10 });
    expect([0, 2, 4, 7, 10].map((s) => +rate(s).toFixed(12))).toEqual([0, 0.1, 0.2, 0.1, 0]);
    const other = createSchedule(schedules.cyclic, { lr: 1, total: 4 }, { knots: [0.25, 0.5], factors: [3, 1] });
    expect([0, 1, 1.5, 2, 4].map(other)).toEqual([3, 3, 2, 1, 1]);
    expect(() => createSchedule(schedules.cyclic, { lr: 1, total: 4 }, { knots: [0.5, 0.5], factors: [1, 1] })).toThrow(
      /ascend/,
    );
    expect(() => createSchedule(schedules.cyclic, { lr: 1, total: 4 }, { knots: [0, 1], factors: [1] })).toThrow(
      /as many/,
    );
  });

  it("one-cycle rises to the full rate at its peak and ends far below its start", () => {
    const rate = createSchedule(schedules["one-cycle"], { lr: 2, total: 100 }, { peak: 0.4, start: 0.1, end: 0.001 });
    expect(rate(0)).toBeCloseTo(0.2, 12);
    expect(rate(20)).toBeCloseTo(1.1, 12);
    expect(rate(10)).toBeCloseTo(0.2 + 0.9 * (1 - Math.SQRT1_2), 12);
    expect(rate(40)).toBe(2);
    expect(rate(70)).toBeCloseTo(1.001, 12);
    expect(rate(100)).toBeCloseTo(0.002, 12);
    const falls = createSchedule(schedules["one-cycle"], { lr: 1, total: 10 }, { peak: 0 });
    expect(falls(0)).toBe(1);
    const rises = createSchedule(schedules["one-cycle"], { lr: 1, total: 10 }, { peak: 1 });
    expect(rises(10)).toBe(1);
  });

  it("warm-up climbs linearly to the schedule", () => {
    const rate = createSchedule(schedules.constant, { lr: 1, total: 100, warmup: 4 });
    expect([0, 1, 2, 3, 4, 50].map(rate)).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
  });

  it("refuses runs that make no sense", () => {
    expect(() => createSchedule(schedules.cosine, { lr: NaN, total: 10 })).toThrow(/wants a rate/);
    expect(() => createSchedule(schedules.cosine, { lr: 1, total: 0 })).toThrow(/total from 1/);
    expect(() => createSchedule(schedules.step, { lr: 1, total: 1 }, { milestones: [2] })).toThrow(
      /milestones must be/,
    );
  });
});
