import { createRng, type Rng, TemperError } from "../core/index.ts";

/** Which examples the steps of a run see: a function of the seed and the epoch alone. */
export interface Sampler {
  readonly batchSize: number;
  /** Batches of an epoch. */
  readonly batches: number;
  /** Steps in a row that see the same batch. */
  readonly replays: number;
  /** The examples of an epoch in their order, a batch after the other; those of a pool are counted on from the others. */
  readonly orderOf: (epoch: number) => Uint32Array;
}

/** Steps of an epoch. */
export const stepsOf = ({ batches, replays }: Sampler): number => batches * replays;

interface Common {
  readonly seed: number;
  /** Examples to draw from. */
  readonly count: number;
  readonly batchSize: number;
}

/** Epochs are asked for one after the other: the last one is kept. */
const sampler = (batchSize: number, batches: number, order: (epoch: number) => Uint32Array): Sampler => {
  let held = -1,
    kept = new Uint32Array();
  return {
    batchSize,
    batches,
    replays: 1,
    orderOf: (epoch) => {
      if (epoch !== held) kept = order(epoch) as Uint32Array<ArrayBuffer>;
      held = epoch;
      return kept;
    },
  };
};

const orderStream = (seed: number): Rng => createRng(seed).split("order");

const wholeBatches = (count: number, batchSize: number): number => {
  if (batchSize > count)
    throw new TemperError(
      "bad-option",
      `A batch of ${batchSize} is larger than the ${count} training examples. Lower --batch-size.`,
    );
  return Math.floor(count / batchSize);
};

/** Every example once an epoch, in random order; the last incomplete batch is dropped. @throws TemperError `bad-option` */
export const shuffled = ({ seed, count, batchSize }: Common): Sampler => {
  const stream = orderStream(seed);
  return sampler(batchSize, wholeBatches(count, batchSize), (epoch) => stream.split(epoch).permutation(count));
};

/**
 * As many examples an epoch, drawn with replacement by weights (they need not sum to 1).
 * @throws TemperError `bad-option`: a weight that is negative or no number, or none above 0
 */
export const weighted = ({
  seed,
  batchSize,
  weights,
}: Omit<Common, "count"> & { readonly weights: ArrayLike<number> }): Sampler => {
  const stream = orderStream(seed),
    sums = new Float64Array(weights.length);
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    if (!(weight >= 0 && weight < Infinity))
      throw new TemperError(
        "bad-option",
        `Weights of examples must be numbers from 0, got ${weight} for example ${i}.`,
      );
    sums[i] = total += weight;
  }
  if (total === 0) throw new TemperError("bad-option", "Weights of examples: none is above 0.");
  return sampler(batchSize, wholeBatches(weights.length, batchSize), (epoch) => {
    const rng = stream.split(epoch);
    return Uint32Array.from(weights, () => firstAbove(sums, rng.uniform() * total));
  });
};

/** First place of ascending `sums` that is above `value`. */
const firstAbove = (sums: Float64Array, value: number): number => {
  let low = 0,
    high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
};

/**
 * Batches of labelled examples and examples of a pool, their rows mixed. The labelled ones come in shuffled passes that go
 * on over the epochs; those of the pool are drawn with replacement.
 *
 * @throws TemperError `bad-option`: a share that leaves no row of a batch to the labelled examples, or an empty pool
 * Source: Carmon et al. 2019, Unlabeled Data Improves Adversarial Robustness (their sampler).
 */
export const pooled = ({
  seed,
  count,
  batchSize,
  poolCount,
  fraction,
  epochImages = 0,
}: Common & {
  /** Examples of the pool, numbered from `count` on. */
  readonly poolCount: number;
  /** Share of every batch that comes from the pool. */
  readonly fraction: number;
  /** Images of an epoch, of both kinds; 0: one pass over the labelled examples. */
  readonly epochImages?: number;
}): Sampler => {
  const labelled = batchSize - Math.round(fraction * batchSize);
  if (!(labelled > 0 && fraction >= 0 && poolCount > 0))
    throw new TemperError(
      "bad-option",
      `A pool of ${poolCount} examples with a share of ${fraction} leaves ${labelled} of ${batchSize} rows to labelled ones; both must have some.`,
    );
  const batches = epochImages > 0 ? Math.ceil(epochImages / batchSize) : wholeBatches(count, labelled),
    stream = orderStream(seed),
    passes = sampler(count, 1, (pass) => stream.split(pass).permutation(count));
  return sampler(batchSize, batches, (epoch) => {
    const order = new Uint32Array(batches * batchSize),
      rng = stream.split("pool").split(epoch);
    let next = epoch * batches * labelled;
    for (let at = 0; at < order.length; at += batchSize) {
      const batch = order.subarray(at, at + batchSize);
      for (let row = 0; row < batchSize; row++)
        batch[row] =
          row < labelled ? passes.orderOf(Math.floor(next / count))[next++ % count]! : count + rng.int(poolCount);
      mixRows(batch, rng);
    }
    return order;
  });
};

const mixRows = (batch: Uint32Array, rng: Rng): void => {
  const old = batch.slice();
  rng.permutation(batch.length).forEach((from, to) => (batch[to] = old[from]!));
};

/** Every batch several times in a row. @throws TemperError `bad-option`: a number below 1 */
export const replayed = (of: Sampler, replays: number): Sampler => {
  if (!Number.isInteger(replays) || replays < 1)
    throw new TemperError("bad-option", `Replays of a batch must be an integer from 1, got ${replays}.`);
  return { ...of, replays: of.replays * replays };
};
