/** Rows of training as a whole: the product's own loop beside PyTorch's, and steps of recipes beside plain ones. */
import { networks } from "./networks.mjs";
import { peer, row, us } from "./row.mjs";

const PGD7 = { epsilon: 0.3, steps: 7, stepSize: 0.1 };
const FGSM_RS = { epsilon: 8 / 255, steps: 1, stepSize: 10 / 255, attackMode: "train" };
const BOTH = ["eager", "channels_last"];
const CROP_FLIP = { augment: "crop,flip" };

/**
 * `images` of an epoch, which is one measurement; `settings` are options of `temper train`, and the peer reads them too.
 * `layouts`: PyTorch's memory formats; of large ResNets only the one that is faster.
 */
export const LOOPS = [
  {
    id: "resnet18",
    network: "resnet18",
    batch: 128,
    images: 1024,
    settings: CROP_FLIP,
    layouts: ["channels_last"],
    bar: 1.3,
    rounds: 3,
    limits: [{ of: "memoryShare", most: 1, text: "memory <= torch" }],
  },
  { id: "mnist", network: "mnist", batch: 128, images: 59_904, settings: {}, layouts: BOTH, bar: 1.5, rounds: 5 },
  { id: "vit-tiny", network: "vit-tiny", batch: 64, images: 1280, settings: CROP_FLIP, bar: 1.05, rounds: 3 },
  {
    id: "pgd7-mnist",
    network: "mnist",
    batch: 128,
    images: 9984,
    recipe: "pgd-at",
    settings: PGD7,
    layouts: BOTH,
    bar: 1.8,
    rounds: 5,
  },
  {
    id: "fgsm-rs-preact18",
    network: "preact-resnet18",
    batch: 128,
    images: 512,
    recipe: "fast-at",
    settings: { ...FGSM_RS, ...CROP_FLIP },
    layouts: ["channels_last"],
    bar: 1,
    rounds: 3,
  },
];

const TORCH = { eager: "torch", channels_last: "torch channels_last" };
const loopRow = ({
  id,
  network,
  batch,
  images,
  recipe = "standard",
  settings,
  layouts = ["eager"],
  bar,
  rounds,
  limits = [],
}) => {
  const task = { task: "loop", network, batch, images, recipe, settings };
  return row(
    `loop-${id}-${batch}`,
    `training loop, ${recipe}, ${networks[network].title}, batch ${batch}, an epoch of ${images} images`,
    [us(task), ...layouts.map((variant) => ({ ...peer(TORCH[variant], { ...task, variant }), bar }))],
    {
      images,
      mostRounds: rounds,
      limits: [{ of: "idleShare", most: 0.03, text: "idle share <= 0.03" }, ...limits],
    },
  );
};

const steps = (network, batch, recipe, settings, more) => ({
  task: "steps",
  network,
  batch,
  recipe,
  settings,
  ...more,
});
const plain = (network, batch, times) => steps(network, batch, "standard", {}, { times });

/** K gradient steps and the update, beside K + 1 updates. */
const attackedRow = (network, batch, count) =>
  row(
    `steps-pgd${count}-${network}-${batch}`,
    `PGD-${count} training step, ${networks[network].title}, batch ${batch}`,
    [
      us(steps(network, batch, "pgd-at", { steps: count })),
      { ...us(plain(network, batch, count + 1), `${count + 1} plain steps`), bar: 1 / 1.05 },
    ],
    { mostRounds: network === "resnet18" ? 3 : undefined },
  );
const replayRow = (network, batch) =>
  row(
    `steps-free-${network}-${batch}`,
    `a replay of free-at, ${networks[network].title}, batch ${batch}`,
    [us(steps(network, batch, "free-at", {})), { ...us(plain(network, batch, 1), "plain step"), bar: 1 / 1.15 }],
    { mostRounds: network === "resnet18" ? 5 : undefined },
  );

export const loopRows = [
  ...LOOPS.map(loopRow),
  ...[1, 7, 10].flatMap((count) => [attackedRow("mnist", 128, count), attackedRow("resnet18", 64, count)]),
  replayRow("mnist", 128),
  replayRow("resnet18", 128),
];
