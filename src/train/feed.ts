/// <reference lib="esnext.disposable" preserve="true" />
import { sizeOf, TemperError } from "../core/index.ts";
import { batchMaker, type BatchPlan, type BatchSource, type Sampler, stepsOf } from "../data/index.ts";
import { physicalCores } from "../runtime/index.ts";
import { createThreads, type FeedBatch } from "./feed-threads.ts";

export interface FeedRequest extends BatchSource {
  readonly sampler: Sampler;
  /**
   * Threads that make batches ahead of the step; 0: the calling thread makes them when they are asked for. Without it the
   * feed begins so, and starts threads where the steps turn out to wait. No number changes a bit of a batch.
   */
  readonly workers?: number | undefined;
}

/** Training batches, made ahead of the step that needs them. */
export interface Feed extends AsyncDisposable {
  /**
   * What `count` steps see from `step` on, side by side. Any step may be asked for; the batches after those of the last call
   * are being made meanwhile. The arrays are valid until the next call, which takes their memory back.
   *
   * @throws TemperError `bad-option`: an example that is not in the data; `disposed`
   */
  readonly next: (step: number, count?: number) => Promise<FeedBatch>;
  /** How long `next` has kept its callers waiting, all calls together. */
  readonly idleSeconds: () => number;
  /** Threads at work now. */
  readonly workers: () => number;
}

/** Calls whose batches are made ahead, for each thread. */
const AHEAD = 2;
/** What a thread takes beside its batches: a heap, and the code in it. Measured. */
const THREAD_BYTES = 20e6;

/**
 * Bytes that a feed comes to hold once it works with all its threads, beside the data: batches that were made ahead, the
 * one in use and one to be filled again.
 */
export const feedBytes = (batchBytes: number): number =>
  physicalCores() * (THREAD_BYTES + AHEAD * batchBytes) + 2 * batchBytes;

/** Calls after which the waiting is looked at. */
const WINDOW = 16;
/** Share of the time that waiting may take, and milliseconds of a call that handing a batch over would cost as well. */
const MOST_WAITING = 0.02;
const HANDING_MS = 1;

/** A call of `next` whose batches are made, or being made. */
interface Call {
  /** Numbers of the batches that its steps see, counted over the epochs. */
  readonly key: string;
  readonly step: number;
  readonly count: number;
  readonly batch: Promise<FeedBatch>;
}

/** @throws TemperError `bad-data`: a pool that does not fit the training examples */
export const createFeed = ({ sampler, workers, ...source }: FeedRequest): Feed => {
  const make = batchMaker(source),
    threads = createThreads(source),
    planOf = planner(sampler),
    perEpoch = stepsOf(sampler),
    batchLength = sampler.batchSize * sizeOf(source.train.shape),
    waiting = waitingTime();
  const ahead: Call[] = [],
    spare: Float32Array<ArrayBuffer>[] = [];
  let current: Call | undefined,
    usual = 1, // steps of a call that the end of the epoch does not cut short
    disposed = false;
  for (let i = 0; i < (workers ?? 0); i++) threads.add();

  const numbersOf = (step: number, count: number): readonly number[] =>
    Array.from({ length: count }, (_, i) => Math.floor((step + i) / sampler.replays));
  /** Memory that came back and is large enough, else new: calls at the end of an epoch take a part of it. */
  const memoryFor = (length: number): Float32Array<ArrayBuffer> => {
    const held = spare.pop()?.buffer;
    return held && held.byteLength >= 4 * length ? new Float32Array(held, 0, length) : new Float32Array(length);
  };
  const begin = (step: number, count: number): Call => {
    const numbers = numbersOf(step, count),
      plans = numbers.map(planOf),
      x = memoryFor(count * batchLength);
    const batch =
      threads.count() > 0
        ? threads.make(plans, x)
        : new Promise<FeedBatch>((resolve) => resolve({ x, ...make(plans, x) }));
    batch.catch(() => undefined); // who asks for it hears of it
    return { key: numbers.join(), step, count, batch };
  };
  const takeBack = ({ batch }: Call): void =>
    void batch.then(
      ({ x }) => spare.push(x as Float32Array<ArrayBuffer>),
      () => undefined,
    );
  /** The call that probably comes next, of those that see something else. */
  const after = ({ step, count, key }: Call): Call => {
    for (let next = step + count; ; next += count) {
      const most = Math.min(usual, perEpoch - (next % perEpoch));
      if (numbersOf(next, most).join() !== key) return begin(next, most);
    }
  };
  const lookAhead = (): void => {
    while (ahead.length < AHEAD * threads.count()) ahead.push(after(ahead.at(-1) ?? current!));
  };
  return {
    next: async (step, count = 1) => {
      if (disposed) throw new TemperError("disposed", "This feed was disposed. Create another.");
      const began = performance.now(),
        key = numbersOf(step, count).join();
      if (count > usual || (step + count) % perEpoch !== 0) usual = count;
      if (current?.key !== key) {
        if (current) takeBack(current);
        const at = ahead.findIndex((call) => call.key === key);
        ahead.splice(0, at < 0 ? ahead.length : at).forEach(takeBack);
        current = ahead.shift() ?? begin(step, count);
        lookAhead();
      }
      const batch = await current.batch;
      if (waiting.add(began) && workers === undefined && threads.count() < physicalCores()) {
        threads.add();
        lookAhead();
      }
      return batch;
    },
    idleSeconds: waiting.seconds,
    workers: threads.count,
    [Symbol.asyncDispose]: async () => {
      disposed = true;
      await threads[Symbol.asyncDispose]();
    },
  };
};

/** Adds up waiting times; `add` says now and then whether they were too long for the time that has gone by. */
const waitingTime = (): { readonly add: (began: number) => boolean; readonly seconds: () => number } => {
  let total = 0,
    calls = 0,
    windowBegan = performance.now(),
    windowTotal = 0;
  return {
    add: (began) => {
      const now = performance.now();
      total += now - began;
      if (++calls % WINDOW !== 0) return false;
      const waited = total - windowTotal,
        share = waited / (now - windowBegan),
        tooLong = calls > 0 && share > MOST_WAITING && waited > WINDOW * HANDING_MS;
      windowBegan = now;
      windowTotal = total;
      if (tooLong) calls = -WINDOW; // a thread that starts now changes something only after a while
      return tooLong;
    },
    seconds: () => total / 1000,
  };
};

/** The examples of a batch, by its number over the epochs. */
const planner = ({ batchSize, batches, orderOf }: Sampler): ((number: number) => BatchPlan) => {
  let held = -1,
    repeats = new Uint32Array();
  return (number) => {
    const epoch = Math.floor(number / batches),
      order = orderOf(epoch);
    if (epoch !== held) repeats = repeatsIn(order);
    held = epoch;
    const index = number % batches,
      of = (all: Uint32Array): Uint32Array => all.slice(index * batchSize, (index + 1) * batchSize);
    return { epoch, index, ids: of(order), repeats: of(repeats) };
  };
};

/** How often each entry stands earlier in the order. */
const repeatsIn = (order: Uint32Array): Uint32Array<ArrayBuffer> => {
  const seen = new Uint32Array(order.reduce((most, id) => Math.max(most, id), 0) + 1);
  return Uint32Array.from(order, (id) => seen[id]!++);
};
