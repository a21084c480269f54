import { describe, it } from "vitest";
import { checkRandomGraphs } from "./random-check.ts";

// `npm run test:slow` takes ten times as many.
describe("random graphs give the same, lowered or not", () => {
  it("200 graphs: outputs, gradients by inputs and by weights", { timeout: 300_000 }, () =>
    checkRandomGraphs(200, { seed: 1 }),
  );
  it("12 graphs, after each pass", { timeout: 300_000 }, () => checkRandomGraphs(12, { seed: 2, eachPass: true }));
});
