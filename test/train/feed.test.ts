import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { physicalCores } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { isTemperError } from "temper/core";
import { batchOf, glyphs, parseAugmentations, parseMixer, pooled, replayed, type Sampler, shuffled } from "temper/data";
import { createFeed, type Feed, type FeedBatch, feedBytes, type FeedRequest } from "temper/train";

const train = glyphs({ split: "train", count: 60 }),
  pool = glyphs({ split: "validation", count: 30 });
/** 7 batches of 8 an epoch, with everything that draws random numbers. */
const everything = (): FeedRequest => ({
  train,
  pool,
  sampler: pooled({ seed: 6, count: 60, poolCount: 30, batchSize: 8, fraction: 0.25, epochImages: 56 }),
  augment: parseAugmentations("crop,flip,cutout=6,randaugment"),
  mix: parseMixer("cutmix"),
  seed: 6,
});
const plain = (sampler: Sampler): FeedRequest => ({ train, sampler, seed: 6 });

/** What a call gave, kept: its arrays go back with the next call. */
const kept = ({ x, labels, ids, partners, lambda }: FeedBatch): object => ({
  x: x.slice(),
  labels: [...labels],
  ids: [...ids],
  partners: partners && [...partners],
  lambda: lambda && [...lambda],
});
const collect = async (request: FeedRequest, steps: readonly number[], pause = 0): Promise<object[]> => {
  await using feed = createFeed(request);
  const all: object[] = [];
  for (const step of steps) {
    all.push(kept(await feed.next(step)));
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return all;
};
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (isTemperError(error) ? `${error.code}: ${error.message}` : String(error)),
  );

describe("bits", () => {
  it("depend neither on the number of threads nor on how fast the steps are", async () => {
    const steps = upTo(16), // over two borders of epochs
      expected = await collect({ ...everything(), workers: 0 }, steps);
    expect(new Set(expected.map((batch) => JSON.stringify(batch))).size).toBe(16);
    for (const workers of [1, 2, 3, undefined])
      expect(await collect({ ...everything(), workers }, steps)).toEqual(expected);
    for (const workers of [0, 2]) expect(await collect({ ...everything(), workers }, steps, 20)).toEqual(expected);
  });

  it.each([0, 2])("any step can be asked for, in any order (%d threads)", async (workers) => {
    const expected = await collect({ ...everything(), workers: 0 }, upTo(16)),
      order = [9, 10, 11, 3, 4, 15, 0, 6, 6, 7];
    const got = await collect({ ...everything(), workers }, order);
    expect(got).toEqual(order.map((step) => expected[step]));
  });

  it.each([0, 1])("steps side by side are those one by one (%d threads)", async (workers) => {
    const single = (await collect({ ...everything(), workers: 0 }, upTo(14))) as {
      x: Float32Array;
      lambda: number[];
    }[];
    await using feed = createFeed({ ...everything(), workers });
    // As a loop of steps does: as many as go into a call, cut at the end of an epoch of 7.
    for (const [step, count] of [
      [0, 1],
      [1, 4],
      [5, 2],
      [7, 4],
      [11, 3],
    ] as const) {
      const { x, lambda } = await feed.next(step, count);
      const one = single.slice(step, step + count);
      expect(x).toEqual(Float32Array.from(one.flatMap((batch) => [...batch.x])));
      expect([...lambda!]).toEqual(one.flatMap((batch) => batch.lambda));
    }
  });

  it("a plain feed gives the images themselves, in the sampler's order", async () => {
    const sampler = shuffled({ seed: 6, count: 60, batchSize: 10 });
    for (const workers of [0, 1]) {
      await using feed = createFeed({ ...plain(sampler), workers });
      for (const step of [0, 5, 6]) {
        const { x, labels, ids, ...rest } = await feed.next(step);
        const from = (step % 6) * 10;
        expect([...ids]).toEqual([...sampler.orderOf(Math.floor(step / 6)).subarray(from, from + 10)]);
        expect({ x, labels }).toEqual({ x: batchOf(train, ids).x, labels: batchOf(train, ids).labels });
        expect(rest).toEqual({});
      }
    }
  });
});

describe("replays", () => {
  it.each([0, 1])("a batch is made once for all of its steps (%d threads)", async (workers) => {
    const request = everything();
    const once = await collect({ ...request, workers: 0 }, upTo(8));
    await using feed = createFeed({ ...request, sampler: replayed(request.sampler, 3), workers });
    let last: FeedBatch | undefined;
    for (const step of upTo(24)) {
      const batch = await feed.next(step);
      if (step % 3 > 0) expect(batch).toBe(last);
      expect(kept(batch)).toEqual(once[Math.floor(step / 3)]);
      last = batch;
    }
  });

  it("side by side they stand beside each other", async () => {
    const sampler = replayed(shuffled({ seed: 6, count: 60, batchSize: 10 }), 2);
    await using feed = createFeed({ ...plain(sampler), workers: 1 });
    const { ids } = await feed.next(1, 3);
    const order = [...sampler.orderOf(0)];
    expect([...ids]).toEqual([...order.slice(0, 10), ...order.slice(10, 20), ...order.slice(10, 20)]);
  });
});

describe("memory", () => {
  it("goes round: no call needs new arrays once the feed runs, unless they were given away", async () => {
    for (const workers of [0, 1]) {
      await using feed = createFeed({ ...everything(), workers });
      const seen = new Set<ArrayBufferLike>(); // a thread's arrays come back in another object
      for (const step of upTo(40)) seen.add((await feed.next(step)).x.buffer);
      if (workers === 0) expect(seen.size).toBe(2);
      const { x } = await feed.next(40);
      structuredClone(x.buffer, { transfer: [x.buffer as ArrayBuffer] });
      expect((await feed.next(41)).x.length).toBe(8 * 784);
    }
  });

  it("calls that an epoch cuts short use a part of it", async () => {
    await using feed = createFeed({ ...everything(), workers: 0 });
    const seen = new Set<ArrayBufferLike>();
    for (const epoch of upTo(5))
      for (const [step, count] of [
        [0, 3],
        [3, 3],
        [6, 1],
      ] as const) {
        const { x } = await feed.next(7 * epoch + step, count);
        expect(x.length).toBe(count * 8 * 784);
        seen.add(x.buffer);
      }
    expect(seen.size).toBe(2);
  });
});

describe("threads", () => {
  it("start by themselves where steps wait for their batches", async () => {
    const heavy: FeedRequest = {
      train,
      sampler: shuffled({ seed: 0, count: 60, batchSize: 60 }),
      augment: parseAugmentations("randaugment=20"),
      seed: 0,
    };
    await using feed = createFeed(heavy);
    expect(feed.workers()).toBe(0);
    for (const step of upTo(40)) await feed.next(step);
    expect(feed.workers()).toBeGreaterThan(0);
    expect(feed.idleSeconds()).toBeGreaterThan(0);
  });

  it.each([0, 1])("an example that is not there is the caller's error (%d threads)", async (workers) => {
    const request = { ...plain(shuffled({ seed: 0, count: 61, batchSize: 61 })), workers };
    await using feed = createFeed(request);
    for (const step of [0, 1, 1, 0])
      expect(await codeOf(feed.next(step))).toMatch(/^bad-option: glyphs train has no image 60: it has 60\./);
  });

  it("what cannot be made is refused at once", () => {
    const sampler = shuffled({ seed: 0, count: 60, batchSize: 10 });
    expect(() => createFeed({ ...plain(sampler), pool: { ...pool, shape: [1, 14, 56] } })).toThrow(
      /The pool glyphs has shape \[1,14,56\]/,
    );
  });

  it("end with the feed: who waits is told, and later calls are refused", async () => {
    const feed: Feed = createFeed({ ...everything(), workers: 2 });
    const waiting = codeOf(feed.next(0));
    await feed[Symbol.asyncDispose]();
    expect(await waiting).toMatch(/^disposed: /);
    expect(await codeOf(feed.next(1))).toMatch(/^disposed: This feed was disposed/);
    await feed[Symbol.asyncDispose]();
  });

  it("nothing keeps a process alive after that", async () => {
    const dist = new URL("../../dist/", import.meta.url).href;
    const script = `
      const { glyphs, shuffled } = await import("${dist}data/index.js");
      const { createFeed } = await import("${dist}train/feed.js");
      const train = glyphs({ split: "train", count: 20 });
      const feed = createFeed({ train, sampler: shuffled({ seed: 0, count: 20, batchSize: 5 }), seed: 0, workers: 2 });
      for (let step = 0; step < 6; step++) await feed.next(step);
      console.log(feed.workers());
      await feed[Symbol.asyncDispose]();`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
      timeout: 30_000,
    });
    expect(stdout.trim()).toBe("2");
  });
});

describe("the bytes that a feed is planned with", () => {
  const script = fileURLToPath(new URL("./feed-child.mjs", import.meta.url));
  const grown = (threads: number, batchSize: number): number =>
    Number(execFileSync(process.execPath, [script, String(threads), String(batchSize)], { encoding: "utf8" }));

  it.each([16, 512])("are what its threads and batches of %i take, and not far more", (batchSize) => {
    const planned = feedBytes(4 * batchSize * 3 * 32 * 32),
      found = grown(physicalCores(), batchSize) - grown(0, batchSize); // without threads: code, and two batches
    expect(found).toBeLessThan(planned);
    expect(found).toBeGreaterThan(planned / 2);
  });
});
