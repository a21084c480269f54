import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { attackDataset, evaluate } from "temper/evaluate";
import { describe, expect, it } from "vitest";
import { classifierFrom, linearGraph, taskOf } from "./linear.ts";

interface Outcome {
  readonly bytes: number;
  readonly examples: string;
  readonly broken: readonly number[];
  readonly row: Readonly<Record<string, unknown>>;
}
const script = fileURLToPath(new URL("./limited-fixture.mjs", import.meta.url));
const attacked = (memory: number, batch: number): Outcome =>
  JSON.parse(
    execFileSync(process.execPath, [script, String(memory), String(batch)], { encoding: "utf8", maxBuffer: 1e8 }),
  ) as Outcome;

/** Share of pixels that differ: products of other sizes round differently, which turns the sign of a tiny gradient. */
const differing = (a: string, b: string): number => {
  const [x, y] = [a, b].map((text) => new Int32Array(new Uint8Array(Buffer.from(text, "base64")).buffer));
  return x!.filter((v, i) => v !== y![i]).length / x!.length;
};

describe("a stated limit of memory", () => {
  const LIMIT = 340e6;
  it("is kept, at the same result", () => {
    const [free, limited] = [attacked(0, 320), attacked(LIMIT, 320)];
    expect(free.bytes, "without it, more is taken").toBeGreaterThan(1.3 * LIMIT);
    expect(limited.bytes).toBeLessThan(LIMIT);
    expect(limited.broken).toEqual(free.broken);
    expect(limited.row).toEqual(free.row);
    const { length } = free.broken.filter((one) => one === 1);
    expect(length, "some are broken, some are not").toBeGreaterThan(20);
    expect(length).toBeLessThan(free.broken.length - 20);
    expect(differing(limited.examples, free.examples)).toBeLessThan(1e-4);
  });

  const task = taskOf({ classes: 2 }),
    model = classifierFrom(linearGraph(task)),
    options = { epsilon: 0.02, memory: 1e7 };
  it("that nothing can keep is refused, with what is needed", async () => {
    const attack = { name: "pgd", options: { steps: 2 } };
    const message =
      /^A memory of 10 MB is too little: one example at a time takes about 1\d\d MB\. Raise --memory, .*--no-winograd/;
    await expect(attackDataset(model, task.dataset, { ...options, attack })).rejects.toThrow(message);
    await expect(evaluate(model, task.dataset, { ...options, sweep: [] })).rejects.toMatchObject({
      code: "bad-option",
    });
  });

  it("that is wide changes nothing", async () => {
    const attack = { name: "pgd", options: { steps: 2 } };
    const run = async (memory: number) => {
      const { row: _, ...found } = await attackDataset(model, task.dataset, { epsilon: 0.02, attack, memory });
      return found;
    };
    expect(await run(2 ** 32)).toEqual(await run(0));
  });
});
