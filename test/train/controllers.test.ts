import { collapsed, controllers, type EpochRecord } from "temper/train";
import { describe, expect, it } from "vitest";

const at = (epoch: number, within = 0, more: object = {}) => ({
  epoch,
  within,
  perEpoch: 10,
  epochs: 10,
  batchSize: 100,
  ...more,
});

describe("the fosc controller", () => {
  const { start, scalars, after, looks } = controllers.fosc;

  it("lets a given threshold fall linearly to zero, and stay there", () => {
    const options = { cMax: 0.5, until: 0.8 },
      memory = start(options);
    const seen = [0, 1, 4, 7, 8, 9].map((epoch) => scalars(at(epoch, 3), memory, options)["threshold"]);
    [0.5, 0.4375, 0.25, 0.0625, 0, 0].forEach((c, i) => expect(seen[i]).toBeCloseTo(c, 12));
    expect(looks(at(0), memory, options)).toEqual([]);
    expect(after(at(0), memory, { fosc: 9 }, options)).toEqual(memory);
  });

  it("by itself measures the first epoch, with no stop, then takes half of its mean", () => {
    const options = { cMax: 0, until: 0.5 };
    let memory = start(options);
    for (let i = 0; i < 10; i++) {
      expect(scalars(at(0, i), memory, options)["threshold"]).toBe(0);
      memory = after(at(0, i), memory, { fosc: i }, options);
    }
    const threshold = 2.25 * (1 - 1 / 5); // mean 4.5
    expect(scalars(at(1), memory, options)["threshold"]).toBeCloseTo(threshold, 12);
    memory = after(at(1), memory, { fosc: 100 }, options);
    expect(scalars(at(1, 1), memory, options)["threshold"]).toBeCloseTo(threshold, 12);
  });
});

describe("the slope controller", () => {
  const { start, scalars, after, looks } = controllers.slope;

  it("keeps what the first step has measured", () => {
    let memory = start({});
    expect(looks(at(0), memory, {})).toEqual([1]);
    expect(looks(at(1), memory, {})).toEqual([]);
    expect(scalars(at(0), memory, {})).toEqual({ slope: 0 });
    memory = after(at(0), memory, { gradientSize: 0.25 }, {});
    memory = after(at(0, 1), memory, { gradientSize: 9 }, {});
    expect(scalars(at(3), memory, {})).toEqual({ slope: 0.25 });
  });
});

describe("the fw-adapt controller", () => {
  const { start, scalars, after, looks } = controllers["fw-adapt"];
  const options = { r: 0.8, monitor: 200, maxSteps: 6 };

  it("begins each epoch with two steps, and sets the others by the mean distortion of those", () => {
    let memory = start(options);
    const counts: number[] = [];
    for (const [epoch, distortions] of [
      [0.5, 0.6],
      [0.7, 0.7],
      [0.7, 0.88],
      [0.9, 0.8],
      [0.9, 0.95],
      [0.99, 0.7],
      [0.9, 0.9],
    ].entries()) {
      expect(looks(at(epoch), memory, options)).toEqual([2]);
      for (let within = 0; within < 10; within++) {
        const { steps } = scalars(at(epoch, within), memory, options);
        if (within < 2) expect(steps).toBe(2);
        else if (within === 2) counts.push(steps!);
        else expect(steps).toBe(counts.at(-1));
        memory = after(at(epoch, within), memory, { distortion: distortions[within] ?? 0 }, options);
      }
    }
    // Two more each time, six at most; then halves, one at least.
    expect(counts).toEqual([3, 5, 6, 3, 1, 1, 1]);
  });
});

const probed = (pgd: number, fgsm: number): EpochRecord => ({ probe: { pgd, fgsm } }) as EpochRecord;

describe("collapse", () => {
  it.each([
    ["all at once: PGD loses more than 20 points", probed(0.3, 0.5), probed(0.55, 0.6), true],
    ["little by little: PGD takes 60 % of what stands against FGSM", probed(0.1, 0.6), probed(0.2, 0.6), true],
    ["not: both fall a little", probed(0.4, 0.45), probed(0.5, 0.6), false],
    ["not: a first epoch", probed(0.3, 0.4), undefined, false],
    ["not: a gap that is not large enough", probed(0.3, 0.7), probed(0.35, 0.6), false],
    ["in a first epoch", probed(0.01, 0.9), undefined, true],
    ["not: nothing stands against FGSM either", probed(0, 0.02), probed(0.1, 0.1), false],
  ] as const)("%s", (_, now, before, expected) => {
    expect(collapsed(now, before)).toBe(expected);
  });
});
