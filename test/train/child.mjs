// Trains in the folder, by the request that is given as JSON on so many glyphs; writes a line for every step that is done.
// Tests kill this process.
import { glyphs } from "temper/data";
import { train } from "temper/train";

const [folder, request, training, validation] = process.argv.slice(2);
await train({
  ...JSON.parse(request),
  train: glyphs({ split: "train", count: Number(training) }),
  validation: glyphs({ split: "validation", count: Number(validation) }),
  folder,
  resume: true,
  onProgress: (p) => p.kind === "step" && process.stdout.write(`${p.step}\n`),
});
