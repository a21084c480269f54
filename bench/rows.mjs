/** What is measured: one record a row. The first side is ours; `bars` are the ratios that the project promises. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hasLaboratory } from "./hand.mjs";
import { networks } from "./networks.mjs";
import { peer, row, us } from "./row.mjs";
import { loopRows } from "./rows-loop.mjs";

export const CHAIN_NODES = 1000;
const MATMUL = { task: "matmul", size: 2048 };
const CONV = { task: "conv", batch: 64, channels: 128, side: 16 };

const ceilings = [
  row("ceiling-matmul", "2048^3 matrix product", [us(MATMUL), peer("torch", MATMUL)], { flops: 2 * 2048 ** 3 }),
  row("ceiling-conv", "3x3 convolution 128 -> 128, 64 x 16 x 16", [us(CONV), peer("torch", CONV)], {
    flops: 2 * CONV.batch * CONV.channels ** 2 * 9 * CONV.side ** 2,
  }),
];

const MODES = { forward: "forward", gradient: "input gradient", train: "training step" };
/** `torch.compile` takes up to a minute a row before it gives the first result. */
const compiledSide = (task) => ({
  ...peer("torch.compile", { ...task, variant: "compile" }),
  bar: task.network === "resnet18" && task.batch >= 64 ? 1.15 : 0.95,
  firstWithin: 0.2,
});
const networkRow = (network, mode, batch, { compiled }) => {
  const { title, channelsLast, laboratory, portable, bars } = networks[network],
    bar = bars[mode]?.[batch];
  const task = { task: "network", network, mode, batch };
  return row(
    `${network}-${mode}-${batch}`,
    `${title} ${MODES[mode]}, batch ${batch}`,
    [
      us(task),
      portable && { ...us({ ...task, portable }, "temper, portable lowering"), bar: 1 / 1.05 },
      { ...peer("torch", task), bar },
      channelsLast && { ...peer("torch channels_last", { ...task, variant: "channels_last" }), bar },
      compiled && compiledSide(task),
      laboratory &&
        mode === "forward" &&
        batch > 1 &&
        us({ ...task, winograd: true }, "temper, with Winograd (not for verdicts)"),
      network === "mnist" && mode === "gradient" && us({ ...task, via: "engine" }, "temper through compile()"),
      laboratory && mode !== "train" && hasLaboratory() && { name: "hand", kind: "hand", task },
    ],
    { memory: true },
  );
};
const networkRows = (options) =>
  Object.entries(networks).flatMap(([network, { batches, modes }]) =>
    modes.flatMap((mode) => batches.map((batch) => networkRow(network, mode, batch, options))),
  );

const secondCore = (winograd, bar) => {
  const step = { task: "network", network: "resnet18", mode: "train", batch: 64, winograd };
  const how = winograd ? "with Winograd" : "direct";
  return row(
    `second-core-${winograd ? "winograd" : "direct"}`,
    `second core: ResNet-18 training step, batch 64, ${how}`,
    [
      { ...us(step, "temper, 2 threads"), threads: 2 },
      { ...us(step, "temper, 1 thread"), threads: 1, bar },
    ],
  );
};

const LIBRARIES = ["torchattacks", "raw", "foolbox", "art"];
const pgdRow = (network, batch, { frozen }) => {
  const task = { task: "pgd", network, batch };
  return row(
    `pgd-${network}-${batch}`,
    `PGD-20 on ${networks[network].title}, batch ${batch}`,
    [
      us(task),
      us({ task: "gradients", network, batch, count: 20 }, "20 raw gradients"),
      ...LIBRARIES.map((library) => peer(library === "raw" ? "raw torch loop" : library, { ...task, library })),
      ...(frozen ? LIBRARIES : [])
        .filter((library) => library !== "raw")
        .map((library) => peer(`${library}, frozen weights`, { ...task, library, frozen: true })),
    ],
    { probe: true, mostRounds: network === "resnet18" ? 5 : undefined },
  );
};

export const messagesRow = (batch) => {
  const task = { task: "pgd", network: "mnist", batch };
  return row(`messages-mnist-${batch}`, `PGD-20 in the engine's worker, MNIST 2-conv, batch ${batch}`, [
    us(task),
    us({ ...task, via: "thread" }, "same loop in-thread"),
  ]);
};

const chain = { task: "chain", nodes: CHAIN_NODES };
const bin = fileURLToPath(new URL("../bin/temper.js", import.meta.url));
const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const KW = `${shared}models/kw_mnist_eps0.1.onnx`;
const IMAGES = `${shared}mnist/t10k-images-idx3-ubyte.gz`;
const LABELS = `${shared}mnist/t10k-labels-idx1-ubyte.gz`;

/** Whole processes, from start to the line that shows the wanted number. */
const evaluation = (name, pattern, ...command) => ({ name, kind: "command", command, pattern });
const evaluate = (pattern, model, options) =>
  evaluation("temper", pattern, "node", bin, "evaluate", model, ...options, "--epsilon", "0.1", "--report", "{report}");
const COLD = ["--range", "0:100", "--attack", "pgd:steps=1"];
const WHOLE = ["--data", IMAGES, "--range", "0:1000", "--sweep", "0.1", "--attack", "pgd:steps=20,stepSize=0.01"];
/** Stages that bench/compile.mjs prints, each a figure of the row. */
const STAGES = ["trace", "differentiate", "lower", "encode", "session", "start"];
const STAGE_PATTERN = `${STAGES.map((stage) => `${stage} (?<${stage}>[\\d.]+)`).join(", ")}: (?<seconds>[\\d.]+) s`;
const compileScript = fileURLToPath(new URL("compile.mjs", import.meta.url));
const compileRow = (id, title, ...flags) =>
  row(id, title, [evaluation("temper", STAGE_PATTERN, "node", compileScript, "64", ...flags)]);
const commandRows = [
  compileRow("compile-training", "compile of ResNet-18's training graph, batch 64, in a fresh process"),
  compileRow("compile-kept", "the same from the cache on disk", "--kept"),
  row("cold-start", "cold start: `temper evaluate`, tiny model, to the first number", [
    evaluate("clean accuracy +\\d", "{model}", COLD),
    evaluation("torch", "accuracy \\d", "python", "{peer}", "cold"),
  ]),
  existsSync(KW) &&
    row("evaluate-mnist", "`temper evaluate`, 1,000 MNIST images, PGD-20, whole process to the robust accuracy", [
      evaluate("robust accuracy +\\d", KW, WHOLE),
      evaluation("torchattacks", "robust accuracy \\d", "python", "{peer}", "evaluate", KW, IMAGES, LABELS, "1000"),
    ]),
].filter(Boolean);

/**
 * @param frozen  toolkits also with frozen weights, which their documentation does not suggest
 * @param compiled  networks also by torch.compile
 */
export const allRows = ({ frozen = false, compiled = false } = {}) => [
  ...ceilings,
  ...networkRows({ compiled }),
  secondCore(false, 1.9),
  secondCore(true, 1.75),
  pgdRow("resnet18", 64, { frozen }),
  pgdRow("mnist", 64, { frozen }),
  messagesRow(64),
  messagesRow(1),
  ...loopRows,
  row(
    "compile-1000",
    `compile and first run of a ${CHAIN_NODES}-node graph`,
    [us(chain), peer("torch.compile", chain)],
    {
      mostRounds: 3, // torch.compile takes a minute
    },
  ),
  ...commandRows,
];
