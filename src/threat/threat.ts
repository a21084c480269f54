import { choice, float, numbers, type OptionInput, resolveOptions, type Rng, TemperError } from "../core/index.ts";
import { formatEpsilon } from "./format.ts";
import { l1 } from "./l1.ts";
import { l2 } from "./l2.ts";
import { linf } from "./linf.ts";
import { clampRow, finiteRow, type Norm } from "./norm.ts";

/** Every norm by name. Command line, documentation and tests read this object. */
export const norms = { linf, l2, l1 } satisfies Record<string, Norm>;
export type NormName = keyof typeof norms;

/** Options of a threat set, for the records and commands that take one. */
export const threatOptions = {
  norm: choice(["linf", "l2", "l1"], { default: "linf", help: "how changes are measured" }),
  epsilon: float({ default: 8 / 255, min: 0, help: "largest change, in units of the model's input" }),
  box: numbers({ default: [0, 1], help: "lowest and highest pixel value" }),
};

/** One number for all rows, or one a row. */
export type PerRow = number | ArrayLike<number>;

export interface AscendOptions {
  /** Elements to move, for sparse directions (l1): a count, 1 to d. Default: 1 % of d. */
  readonly keep?: PerRow | undefined;
  /** Whether sparse directions pass over elements that the box already stops (default), or spend steps on them. */
  readonly passStopped?: boolean | undefined;
  /** Set to 1 at rows whose gradient holds NaN or infinity; other entries stay as they are. */
  readonly skipped?: Uint8Array | undefined;
}

/** The end points of the range of every element, rows like those of x. */
export interface Ranges {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/** {@link Threat.project} by ranges that were found before, for loops that project again and again around one x. */
export const projectOnto = (x: Float32Array, adv: Float32Array, d: number, { low, high }: Ranges): Float32Array => {
  const n = rows(x, adv, d);
  for (let i = 0; i < n; i++) clampRow(x, adv, i * d, d, low, high, i * d);
  return adv;
};

/**
 * A set of allowed changes: a ball in a norm, cut by the box of pixel values. Rows are n examples of d elements in one
 * flat Float32Array; x must lie in the box ({@link Threat.check}).
 */
export interface Threat {
  readonly norm: NormName;
  readonly epsilon: number;
  readonly box: readonly [low: number, high: number];
  /** `linf ball of radius 0.03137 (8/255) in the box [0, 1]`. */
  readonly describe: () => string;
  /** The same set with another radius. */
  readonly withEpsilon: (epsilon: number) => Threat;
  /** Length of every row of `adv - x`; NaN where the row holds NaN. */
  readonly distance: (x: Float32Array, adv: Float32Array, d: number) => Float32Array;
  /** 1 for rows of `adv` that lie in the set, up to `tolerance` (1e-6) in length and box; 0 also where NaN. */
  readonly contains: (x: Float32Array, adv: Float32Array, d: number, tolerance?: number) => Uint8Array;
  /**
   * Replaces every row of `adv` by the nearest point of the set, and gives `adv`. Exact: ball and box jointly, and the
   * stored float32 row lies inside, not only near. NaN elements become those of x.
   * @param epsilons  radius, where rows have their own
   */
  readonly project: (x: Float32Array, adv: Float32Array, d: number, epsilons?: PerRow) => Float32Array;
  /**
   * For sets where every element has a range of its own (l-inf): the least and the greatest float32 number that each
   * element of a point around x may take. Undefined for other norms.
   */
  readonly ranges: (x: Float32Array, d: number) => Ranges | undefined;
  /**
   * Adds to every row of `adv` the step of length `step` along which the loss rises fastest. Does not project. Rows
   * whose gradient holds NaN or infinity are not moved.
   * @returns how many rows were skipped so; `options.skipped` says which
   */
  readonly ascend: (
    adv: Float32Array,
    gradient: Float32Array,
    step: PerRow,
    d: number,
    options?: AscendOptions,
  ) => number;
  /** {@link Threat.randomStart} before it is projected, for callers that project anyway. */
  readonly noise: (x: Float32Array, rngFor: (row: number) => Rng, d: number, epsilons?: PerRow) => Float32Array;
  /**
   * A random point of the set for every row: linf uniform, l2 a random direction with uniform length, l1 projected
   * Gaussian noise; then projected.
   * @param rngFor  the stream of a row, so that a result does not depend on its batch mates
   */
  readonly randomStart: (x: Float32Array, rngFor: (row: number) => Rng, d: number, epsilons?: PerRow) => Float32Array;
  /** @throws TemperError `bad-data`: an element of x is not finite or lies outside of the box, with its place */
  readonly check: (x: Float32Array, d: number) => void;
}

/**
 * The set of changes of length at most `epsilon` in `norm` that keep pixels in `box`.
 *
 * @throws TemperError `bad-option`: an unknown norm, a negative radius, an empty box
 */
export const threat = (given: OptionInput<typeof threatOptions>): Threat => {
  const { norm: name, epsilon, box } = resolveOptions("threat", threatOptions, given);
  if (box.length !== 2 || !(box[0]! < box[1]!))
    throw new TemperError("bad-option", `threat: box must be two numbers, low before high, got ${box.join(", ")}.`);
  const low = Math.fround(box[0]!),
    high = Math.fround(box[1]!); // pixels are float32: so are their bounds
  return build(norms[name], name, { epsilon, low, high });
};

const build = (norm: Norm, name: NormName, region: { epsilon: number; low: number; high: number }): Threat => {
  const { epsilon, low, high } = region;
  const regionOf = (epsilons: PerRow, row: number): typeof region =>
    typeof epsilons === "number" && epsilons === epsilon ? region : { epsilon: at(epsilons, row), low, high };
  const self: Threat = {
    norm: name,
    epsilon,
    box: [low, high],
    describe: () => `${name} ball of radius ${formatEpsilon(epsilon)} in the box [${low}, ${high}]`,
    withEpsilon: (other) => threat({ norm: name, epsilon: other, box: [low, high] }),
    distance: (x, adv, d) => Float32Array.from({ length: rows(x, adv, d) }, (_, i) => norm.distance(x, adv, i * d, d)),
    contains: (x, adv, d, tolerance = 1e-6) =>
      Uint8Array.from({ length: rows(x, adv, d) }, (_, i) => {
        const near = norm.distance(x, adv, i * d, d) <= epsilon + tolerance;
        return near && insideBox(adv, i * d, d, low - tolerance, high + tolerance) ? 1 : 0;
      }),
    project: (x, adv, d, epsilons = epsilon) => {
      const n = rows(x, adv, d);
      for (let i = 0; i < n; i++) norm.project(x, adv, i * d, d, regionOf(epsilons, i));
      return adv;
    },
    ranges: (x, d) => {
      if (!norm.bounds) return undefined;
      const n = rows(x, x, d),
        low = new Float32Array(x.length),
        high = new Float32Array(x.length);
      for (let i = 0; i < n; i++) norm.bounds(x, i * d, d, region, low, high, i * d);
      return { low, high };
    },
    ascend: (adv, gradient, step, d, options = {}) => {
      const n = rows(adv, gradient, d),
        { keep = 0.01 * d, passStopped = true, skipped } = options;
      const stops = passStopped ? { low, high } : { low: -Infinity, high: Infinity };
      let bad = 0;
      for (let i = 0; i < n; i++) {
        if (finiteRow(gradient, i * d, d)) {
          const direction = { keep: Math.min(d, Math.max(1, Math.round(at(keep, i)))), ...stops };
          norm.ascend(adv, gradient, i * d, d, at(step, i), direction);
        } else {
          bad++;
          if (skipped) skipped[i] = 1;
        }
      }
      return bad;
    },
    noise: (x, rngFor, d, epsilons = epsilon) => {
      const adv = new Float32Array(x.length),
        n = rows(x, adv, d);
      for (let i = 0; i < n; i++) norm.noise(x, adv, i * d, d, regionOf(epsilons, i), rngFor(i));
      return adv;
    },
    randomStart: (x, rngFor, d, epsilons) => self.project(x, self.noise(x, rngFor, d, epsilons), d, epsilons),
    check: (x, d) => {
      rows(x, x, d);
      let bad = -1;
      for (let i = 0; i < x.length && bad < 0; i++) if (!(x[i]! >= low - 1e-6 && x[i]! <= high + 1e-6)) bad = i;
      if (bad >= 0)
        throw new TemperError(
          "bad-data",
          `example ${Math.floor(bad / d)}, element ${bad % d}: pixels must lie in the box [${low}, ${high}], got ${x[bad]}. Scale the data, or give the box that the model declares.`,
        );
    },
  };
  return self;
};

const at = (value: PerRow, row: number): number => (typeof value === "number" ? value : value[row]!);

const rows = (a: Float32Array, b: Float32Array, d: number): number => {
  if (a.length !== b.length || !(d >= 1) || a.length % d !== 0)
    throw new TemperError(
      "bad-shape",
      `threat: wants two arrays of whole rows of ${d} elements, got ${a.length} and ${b.length} elements.`,
    );
  return a.length / d;
};

const insideBox = (values: Float32Array, from: number, d: number, low: number, high: number): boolean => {
  for (let i = from; i < from + d; i++) if (!(values[i]! >= low && values[i]! <= high)) return false;
  return true;
};
