// Trains in the folder that is named, saves after every step and writes a line for each: the test kills this process.
import { glyphs } from "temper/data";
import { train } from "temper/train";

await train({
  recipe: "pgd-at",
  model: "wide-resnet",
  modelOptions: { depths: [1, 1, 1], widths: [4, 8, 8], stem: 4 },
  options: {
    epochs: 3,
    batchSize: 50,
    optimizer: "adam",
    lr: 0.01,
    epsilon: 0.1,
    steps: 2,
    ramp: 1.5,
    warmup: 0.5,
    schedule: "cosine",
    validation: 60,
    seed: 5,
    checkpoint: 0,
  },
  train: glyphs({ split: "train", count: 300 }),
  validation: glyphs({ split: "validation", count: 60 }),
  mean: [0.2],
  std: [0.4],
  folder: process.argv[2],
  onProgress: (p) => p.kind === "step" && process.stdout.write(`${p.step}\n`),
});
