/** Loops that run in the engine's thread, for the benchmark. Targets stay compiled between calls, as in a long run. */
import { attacks, createTarget, runAttack } from "../dist/attack/index.js";
import { threat } from "../dist/threat/index.js";
import { readNetwork } from "./us-network.mjs";

const targets = new Map();
const targetOf = (runtime, file, threads) => {
  const held = targets.get(file);
  if (held) return held;
  const made = createTarget(runtime, readNetwork(file), { threads });
  targets.set(file, made);
  return made;
};

/**
 * PGD with 20 steps on a batch, every example for all steps.
 * @returns the adversarial inputs and which of them fool the network
 */
export const pgdJob = async ({ runtime, cancelled }, { file, threads, x, labels, epsilon, step, seed }) => {
  const target = await targetOf(runtime, file, threads);
  const { adv, broken } = await runAttack(target, {
    attack: attacks.pgd,
    options: { steps: 20, stepSize: step },
    threat: threat({ norm: "linf", epsilon }),
    x,
    labels,
    seed,
    exhaustive: true,
    cancelled,
  });
  return { adv, broken };
};
