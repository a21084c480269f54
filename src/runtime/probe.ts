import { f32, sizeOf, type Tensor } from "../core/index.ts";
import { allNodes, constant, createGraph, type Graph, input, type Value } from "../graph/index.ts";
import { conv, relu } from "../ops/index.ts";
import { blockSize } from "./block.ts";
import { physicalCores } from "./cores.ts";
import { encode } from "./encode.ts";
import { keep, nameHere, readKept } from "./kept.ts";
import { lowerForCpu, MIN_CHANNELS, type Winograd } from "./lower/index.ts";
import { createSession, type Session } from "./session.ts";

/** Two convolutions one after the other, direct and by Winograd's algorithm. */
export interface WinogradTimes {
  readonly channels: number;
  /** Height and width of the image. */
  readonly size: number;
  readonly directSeconds: number;
  readonly winogradSeconds: number;
}

/** From how many channels on 3x3 convolutions use Winograd's algorithm on this machine, and why. */
export interface WinogradChoice {
  readonly minChannels: number;
  readonly measured: readonly WinogradTimes[];
}

/** Channels that the choice is made from, with the size of image at which networks have so many. */
const LADDER = [
  [32, 32],
  [64, 32],
  [128, 16],
  [256, 8],
] as const;
/**
 * The default is left only for a form that is faster by so much: within it a choice would follow the noise, and results
 * of two runs would differ in their last digits for nothing.
 */
const MARGIN = 1.15;
const BATCH = 32;
const ROUNDS = 4;

const DEFAULT: WinogradChoice = { minChannels: MIN_CHANNELS, measured: [] };

let known: Promise<WinogradChoice> | undefined;

/**
 * The choice for this machine: measured once (half a second), then kept on disk, so that all later runs make the same.
 * Where it cannot be kept, or not be measured, it is the default: a choice that changes from run to run is worse.
 */
export const winogradChoice = (): Promise<WinogradChoice> => (known ??= choose().catch(() => DEFAULT));

/** What was kept, without measuring. */
export const keptWinogradChoice = (): WinogradChoice | undefined => readKept(fileName(), isChoice);

const choose = async (): Promise<WinogradChoice> => {
  const kept = keptWinogradChoice();
  if (kept) return kept;
  if (!keep(fileName(), undecided)) return DEFAULT;
  const found = await probe(await blockSize());
  // Another process may have been faster; then both follow it.
  return keptWinogradChoice() ?? (keep(fileName(), found) ? found : DEFAULT);
};
/** What stands in the file while it is measured: no choice. */
const undecided = null;

const fileName = (): string => nameHere("winograd");

const isChoice = (value: unknown): value is WinogradChoice => {
  const { minChannels, measured } = (value ?? {}) as Partial<Record<keyof WinogradChoice, unknown>>;
  return LADDER.some(([channels]) => channels === minChannels) && Array.isArray(measured) && measured.every(isTimes);
};
const isTimes = (value: unknown): boolean => {
  const { channels, size, directSeconds, winogradSeconds } = (value ?? {}) as Partial<WinogradTimes>;
  return [channels, size, directSeconds, winogradSeconds].every(Number.isFinite);
};

/** Up the ladder while Winograd clearly loses; where the default does not lose, one step down if it clearly wins there. */
const probe = async (block: number): Promise<WinogradChoice> => {
  if (block === 0) return DEFAULT;
  const start = LADDER.findIndex(([channels]) => channels === MIN_CHANNELS);
  const measured: WinogradTimes[] = [];
  const gain = async (at: number): Promise<number> => {
    const [channels, size] = LADDER[at]!;
    const times = await measure(channels, size, block);
    measured.push(times);
    return times.directSeconds / times.winogradSeconds;
  };
  let at = start;
  while (at + 1 < LADDER.length && (await gain(at)) < 1 / MARGIN) at++;
  if (at === start && (await gain(at - 1)) > MARGIN) at--;
  return { minChannels: LADDER[at]![0], measured };
};

/** The best of some rounds, both forms in turns: what else the machine does only makes rounds slower. */
const measure = async (channels: number, size: number, block: number): Promise<WinogradTimes> => {
  const graph = layers(channels, size),
    feeds = { x: numbers([BATCH, channels, size, size]) };
  const open = (winograd: Winograd): Promise<Session> =>
    createSession(encode(lowerForCpu(graph, { block, winograd })), "cpu", physicalCores());
  const sessions = [await open(false), await open({ minChannels: channels })],
    best = sessions.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, session] of sessions.entries()) {
      const began = performance.now();
      await session.run(feeds, ["y"]);
      best[i] = Math.min(best[i]!, (performance.now() - began) / 1000);
    }
  for (const session of sessions) await session.release();
  return { channels, size, directSeconds: best[0]!, winogradSeconds: best[1]! };
};

const layers = (channels: number, size: number): Graph => {
  const x = input("x", "float32", [BATCH, channels, size, size]);
  const layer = (v: Value): Value =>
    relu(conv(v, constant(numbers([channels, channels, 3, 3])), undefined, { pads: [1, 1, 1, 1] }));
  return createGraph("probe", [x], { y: layer(layer(x)) });
};
const numbers = (shape: readonly number[]): Tensor =>
  f32(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5),
    shape,
  );

/** Whether a graph has convolutions for which the choice may matter. */
export const hasWideConvs = (graph: Graph): boolean =>
  allNodes(graph).some(({ op, inputs: [, w] }) => {
    const [outs = 0, ins = 0, ...kernel] = w?.shape ?? [];
    return op.name === "Conv" && kernel.join() === "3,3" && Math.min(outs, ins) >= LADDER[0][0];
  });
