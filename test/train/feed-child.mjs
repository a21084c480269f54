// Makes 60 batches with so many threads; prints by how many bytes the process grew at most: node feed-child.mjs <threads> <batch size>
import { createDataset, parseAugmentations, shuffled } from "../../dist/data/index.js";
import { createFeed } from "../../dist/train/index.js";

const [workers, batchSize] = process.argv.slice(2).map(Number);
const count = 4 * batchSize;
const train = createDataset({
  name: "grey",
  split: "train",
  source: "this test",
  pixels: new Uint8Array(count * 3 * 32 * 32).fill(7),
  labels: new Int32Array(count),
  shape: [3, 32, 32],
  classes: ["0", "1"],
});
const before = process.resourceUsage().maxRSS;
const augment = parseAugmentations("randaugment");
const feed = createFeed({ train, sampler: shuffled({ seed: 0, count, batchSize }), augment, seed: 0, workers });
for (let step = 0; step < 60; step++) await feed.next(step);
const grown = 1024 * (process.resourceUsage().maxRSS - before);
await feed[Symbol.asyncDispose]();
process.stdout.write(String(grown - (workers > 0 ? train.pixels.byteLength : 0))); // threads share a copy of the data
