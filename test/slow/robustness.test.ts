import { evaluate } from "temper/evaluate";
import { describe, expect, it } from "vitest";
import { openPublished, type Published, published } from "../claims/published.ts";
import { hasShared } from "../shared.ts";

describe.skipIf(!hasShared)("networks of others, on all of their test data", () => {
  it.each(Object.entries<Published>(published))("%s", { timeout: 1_800_000 }, async (_, network) => {
    const { model, dataset } = await openPublished(network);
    const { epsilon, attacks, robust, right, count } = network;
    const result = await evaluate(model, dataset, { epsilon, attacks, sweep: [] });
    const { cleanAccuracy: clean, robustAccuracy, seconds, machine } = result;
    console.log(
      `${network.file}: clean ${(100 * clean.value).toFixed(2)} %, robust ${(100 * robustAccuracy.value).toFixed(2)} %, ` +
        `${seconds.total.toFixed(1)} s on ${machine.cpu}, ${machine.threads} threads`,
    );
    expect([Math.round(clean.value * clean.count), clean.count]).toEqual([right, count]);
    expect(robustAccuracy.value).toBeGreaterThanOrEqual(robust[0]);
    expect(robustAccuracy.value).toBeLessThanOrEqual(robust[1]);
    expect(result.doubts).toEqual([]);
  });
});
