// Prints by how many bytes the resident memory of a process grows where it runs the model of a file at a batch size.
import { readFileSync } from "node:fs";
import { concretize } from "../../dist/graph/index.js";
import { zeros } from "../../dist/core/index.js";
import { decodeModel } from "../../dist/onnx/index.js";
import { bindParameters, importModel } from "../../dist/ops/index.js";
import { createLocalRuntime } from "../../dist/runtime/index.js";

const [path, batch, options] = process.argv.slice(2);
const graph = bindParameters(importModel(decodeModel(readFileSync(path))));
const program = await createLocalRuntime().compile(graph, { threads: 1, ...JSON.parse(options) });
const feeds = Object.fromEntries(
  graph.inputs.map(({ node, dtype, shape }) => [node.name, zeros(dtype, concretize(shape, Number(batch)))]),
);
const before = process.memoryUsage.rss();
await program.run(feeds);
process.stdout.write(String(1024 * process.resourceUsage().maxRSS - before));
