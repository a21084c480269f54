import { createRng, lookup, type Rng, sizeOf, TemperError } from "../core/index.ts";
import {
  type AnyAugmentation,
  type AnyMixer,
  augmentations,
  type Chosen,
  type ImageView,
  mixers,
} from "./augment/index.ts";
import { countOf, type Dataset, imageWriter } from "./dataset.ts";

/** What training batches are made of. Plain data: it goes to other threads. */
export interface BatchSource {
  readonly train: Dataset;
  /** More examples, numbered from the count of `train` on. */
  readonly pool?: Dataset | undefined;
  /** In the order in which they are applied. */
  readonly augment?: readonly Chosen[] | undefined;
  readonly mix?: Chosen | undefined;
  readonly seed: number;
}

/** One batch, as a sampler plans it. */
export interface BatchPlan {
  readonly epoch: number;
  /** Number of the batch in its epoch. */
  readonly index: number;
  readonly ids: Uint32Array;
  /** How often the example was already drawn in the epoch. */
  readonly repeats: Uint32Array;
}

/** What belongs to the rows of a batch beside their pixels. */
export interface Rows {
  readonly ids: Int32Array;
  readonly labels: Int32Array;
  /** The partner's label, and the weight of the row's own; only where images are mixed. */
  readonly partners?: Int32Array;
  readonly lambda?: Float32Array;
}

/** Writes the images of some batches to `x`, [n, C, H, W], one after the other. */
export type BatchMaker = (plans: readonly BatchPlan[], x: Float32Array) => Rows;

/**
 * Images from their bytes, augmented, mixed. Every random draw follows from seed, epoch and example (who is mixed with
 * whom: from seed, epoch and batch); who makes a batch, and when, does not matter.
 *
 * @throws TemperError `bad-data`: a pool that does not fit the training examples; when called `bad-option`: an example that
 * is not there
 */
export const batchMaker = ({ train, pool, augment = [], mix, seed }: BatchSource): BatchMaker => {
  if (pool) checkPool(train, pool);
  const count = countOf(train),
    labelOf = (id: number): number => (id < count || !pool ? train.labels[id] : pool.labels[id - count])!;
  const writeTrain = imageWriter(train),
    writePool = pool && imageWriter(pool);
  const change = augmenter(augment, seed),
    mixRows = mix && rowMixer(mix, seed);
  const make = (plan: BatchPlan, x: Float32Array): Rows => {
    const images = rowsOf(x, plan.ids.length, train);
    images.forEach(({ pixels }, row) => {
      const id = plan.ids[row]!;
      if (id < count || !writePool) writeTrain(id, pixels, 0);
      else writePool(id - count, pixels, 0);
    });
    change?.(plan, images);
    const ids = Int32Array.from(plan.ids),
      labels = ids.map(labelOf);
    return { ids, labels, ...mixRows?.(plan, images, labels) };
  };
  const size = sizeOf(train.shape);
  return (plans, x) => {
    let at = 0;
    const made = plans.map((plan) => make(plan, x.subarray(at, (at += plan.ids.length * size))));
    return made.length === 1 ? made[0]! : sideBySide(made);
  };
};

const sideBySide = (made: readonly Rows[]): Rows => {
  const joined = <A extends Int32Array | Float32Array>(arrays: readonly A[]): A => {
    const out = new (arrays[0]!.constructor as new (length: number) => A)(
      arrays.reduce((sum, { length }) => sum + length, 0),
    );
    let at = 0;
    for (const array of arrays) {
      out.set(array, at);
      at += array.length;
    }
    return out;
  };
  const rows = { ids: joined(made.map(({ ids }) => ids)), labels: joined(made.map(({ labels }) => labels)) };
  if (!made[0]!.partners) return rows;
  return {
    ...rows,
    partners: joined(made.map(({ partners }) => partners!)),
    lambda: joined(made.map(({ lambda }) => lambda!)),
  };
};

const rowsOf = (x: Float32Array, n: number, { shape, range }: Dataset): readonly ImageView[] => {
  const size = sizeOf(shape);
  return Array.from({ length: n }, (_, row) => ({ pixels: x.subarray(row * size, (row + 1) * size), shape, range }));
};

/** The stream of an example in an epoch; one that is drawn again has another. */
const streamOf = (ofEpoch: Rng, { ids, repeats }: BatchPlan, row: number): Rng => {
  const stream = ofEpoch.split(ids[row]!);
  return repeats[row] === 0 ? stream : stream.split(repeats[row]!);
};

const augmenter = (
  chosen: readonly Chosen[],
  seed: number,
): ((plan: BatchPlan, images: readonly ImageView[]) => void) | undefined => {
  if (chosen.length === 0) return undefined;
  const stream = createRng(seed).split("augmentation"),
    steps = chosen.map(({ name, options }) => ({
      apply: lookup<AnyAugmentation>(augmentations, name, "augmentation").apply,
      options,
    }));
  return (plan, images) => {
    const ofEpoch = stream.split(plan.epoch);
    images.forEach((image, row) => {
      const rng = streamOf(ofEpoch, plan, row);
      for (const { apply, options } of steps) apply(image, rng, options);
    });
  };
};

/** Mixes every row with another of the batch, which a random order of the rows names. */
const rowMixer = (
  { name, options }: Chosen,
  seed: number,
): ((
  plan: BatchPlan,
  images: readonly ImageView[],
  labels: Int32Array,
) => Pick<Required<Rows>, "partners" | "lambda">) => {
  const { apply } = lookup<AnyMixer>(mixers, name, "mixer"),
    stream = createRng(seed).split("mix");
  return (plan, images, labels) => {
    const ofEpoch = stream.split(plan.epoch),
      order = ofEpoch.split("partners").split(plan.index).permutation(images.length),
      old = images.map(({ pixels }) => pixels.slice());
    const lambda = Float32Array.from(images, (image, row) =>
      apply(image, old[order[row]!]!, streamOf(ofEpoch, plan, row), options),
    );
    return { partners: Int32Array.from(order, (row) => labels[row]!), lambda };
  };
};

const checkPool = (train: Dataset, pool: Dataset): void => {
  const differs = (["shape", "range", "classes"] as const).find((what) => String(pool[what]) !== String(train[what]));
  if (differs)
    throw new TemperError(
      "bad-data",
      `The pool ${pool.name} has ${differs} [${String(pool[differs])}], the training images ${train.name} have [${String(train[differs])}]. Both must be alike.`,
    );
};
