/**
 * Splittable seeded random numbers: Philox4x32-10 counters (Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3"). A key names a stream; `split` derives an independent one, so that what one part draws never shifts
 * what another part sees.
 */
export interface Rng {
  /** An independent stream, named by a word or a number; the same name gives the same stream. */
  readonly split: (name: string | number) => Rng;
  /** One number, uniform in [0, 1). */
  readonly uniform: () => number;
  /** One standard normal number. */
  readonly normal: () => number;
  /** One integer, uniform in 0 .. n-1. */
  readonly int: (n: number) => number;
  /** Fills with uniform numbers in [low, high). */
  readonly fillUniform: (out: Float32Array, low: number, high: number) => void;
  readonly fillNormal: (out: Float32Array, mean: number, deviation: number) => void;
  /** A random order of 0 .. n-1 (Fisher-Yates). */
  readonly permutation: (n: number) => Uint32Array;
}

const M0 = 0xd2511f53 | 0;
const M1 = 0xcd9e8d57 | 0;
/** Upper word of the product of two unsigned words. All arithmetic is in int32, which engines keep in registers. */
const mulHigh = (a: number, b: number): number => {
  const al = a & 0xffff,
    ah = a >>> 16,
    bl = b & 0xffff,
    bh = b >>> 16;
  const mid = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) | 0;
  const mid2 = (Math.imul(al, bh) + (mid & 0xffff)) | 0;
  return (Math.imul(ah, bh) + (mid >>> 16) + (mid2 >>> 16)) | 0;
};

/** Writes the four words of block `counter` under key (k0, k1). Exported for the published test vectors. */
export const philox = (
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void => {
  c0 |= 0;
  c1 |= 0;
  c2 |= 0;
  c3 |= 0;
  k0 |= 0;
  k1 |= 0;
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(M0, c0),
      l0 = Math.imul(M0, c0);
    const h1 = mulHigh(M1, c2),
      l1 = Math.imul(M1, c2);
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
};

const words = (name: string | number): readonly [number, number, number] => {
  if (typeof name === "number") return [name >>> 0, Math.floor(name / 4294967296) >>> 0, 1];
  let a = 0x811c9dc5,
    b = 0x1b873593; // two FNV-1a hashes with different starts
  for (let i = 0; i < name.length; i++) {
    a = Math.imul(a ^ name.charCodeAt(i), 0x01000193) >>> 0;
    b = Math.imul(b ^ name.charCodeAt(i), 0x01000193) >>> 0;
  }
  return [a, b, 2];
};

const stream = (k0: number, k1: number): Rng => {
  const block = new Uint32Array(4);
  let counter = 0,
    used = 4,
    spare = NaN;
  const next = (): number => {
    if (used === 4) {
      philox(block, counter >>> 0, Math.floor(counter / 4294967296), 0, 0, k0, k1);
      counter++;
      used = 0;
    }
    return block[used++]!;
  };
  const uniform = (): number => next() / 4294967296;
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = NaN;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())),
      angle = 2 * Math.PI * uniform(); // Box-Muller
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const int = (n: number): number => Math.floor(uniform() * n);
  return {
    split: (name) => {
      const [a, b, kind] = words(name);
      const out = new Uint32Array(4);
      philox(out, a, b, kind, 0x53504c54, k0, k1); // counters of splits never meet those of draws: words 2, 3 differ
      return stream(out[0]!, out[1]!);
    },
    uniform,
    normal,
    int,
    fillUniform: (out, low, high) => {
      const width = (high - low) / 4294967296,
        end = out.length;
      let i = 0;
      while (i < end && used < 4) out[i++] = low + width * next();
      for (; i + 4 <= end; i += 4) {
        philox(block, counter >>> 0, Math.floor(counter / 4294967296), 0, 0, k0, k1);
        counter++;
        out[i] = low + width * block[0]!;
        out[i + 1] = low + width * block[1]!;
        out[i + 2] = low + width * block[2]!;
        out[i + 3] = low + width * block[3]!;
      }
      while (i < end) out[i++] = low + width * next();
    },
    fillNormal: (out, mean, deviation) => {
      for (let i = 0; i < out.length; i++) out[i] = mean + deviation * normal();
    },
    permutation: (n) => {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = int(i + 1),
          held = order[i]!;
        order[i] = order[j]!;
        order[j] = held;
      }
      return order;
    },
  };
};

/** The root stream of a seed (any safe integer). */
export const createRng = (seed: number): Rng => stream(seed >>> 0, Math.floor(seed / 4294967296) >>> 0);
