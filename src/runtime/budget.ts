import { formatBytes, TemperError } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import { planMemory } from "./memory.ts";

/**
 * What a process takes, in resident memory as measured: Node, ONNX Runtime and this code; for each
 * byte of constants the copies in files and graphs, and those in sessions while they are made; for each byte of a
 * run's plan what the allocator loses.
 */
const BASE_BYTES = 150e6;
const OF_FILES = 3.5;
const OF_CONSTANTS = 2;
const OF_RUNS = 1.5;
/** A further engine: its thread with this code. */
const THREAD_BYTES = 30e6;

/**
 * Resident memory that a process needs at most, roughly, to run graphs, each in a session of its own: sessions keep what
 * they have once taken.
 *
 * @param lowered  as they run
 * @param heldBytes  what the caller itself holds: data, weights that are fed
 * @param further  engines that have the same sessions beside this one
 */
export const residentBytes = (
  lowered: readonly Graph[],
  batch: number,
  heldBytes: number,
  further: number = 0,
): number => {
  const ofSessions = lowered
    .map((graph) => planMemory(graph, batch))
    .reduce(
      (sum, { fileBytes, constantBytes, inputBytes, outputBytes, peakBytes }) =>
        sum + OF_FILES * fileBytes + OF_CONSTANTS * constantBytes + OF_RUNS * (peakBytes + inputBytes + outputBytes),
      0,
    );
  return BASE_BYTES + heldBytes + ofSessions + further * (THREAD_BYTES + ofSessions);
};

/** The peak of a run's values, now `peakBytes`, with which a process that needs `needed` bytes would stay within `memory`. */
export const peakWithin = (memory: number, needed: number, peakBytes: number): number =>
  Math.max(1, Math.floor(peakBytes - (needed - memory) / OF_RUNS));

export interface BatchLimits {
  /** Bytes that the process may take, and what the caller itself holds of them. */
  readonly memory: number;
  readonly heldBytes: number;
  /** The batch that would be taken without a limit. */
  readonly most: number;
  /** What else to do where it is too little; a sentence after a blank. */
  readonly remedy?: string;
}

/**
 * The largest batch, from 1 to `most`, with which a process stays within `memory` bytes.
 *
 * @throws TemperError `bad-option` where it would not with a single example, saying how much that takes
 */
export const batchWithin = (
  lowered: readonly Graph[],
  { memory, heldBytes, most, remedy = "" }: BatchLimits,
): number => {
  const least = residentBytes(lowered, 1, heldBytes);
  if (least > memory) throw tooLittle(memory, least, "one example at a time takes", remedy);
  let fits = 1,
    beyond = most + 1;
  while (beyond - fits > 1) {
    const middle = Math.floor((fits + beyond) / 2);
    if (residentBytes(lowered, middle, heldBytes) <= memory) fits = middle;
    else beyond = middle;
  }
  return fits;
};

/** @param what  such as `one example at a time takes` */
export const tooLittle = (memory: number, needed: number, what: string, remedy = ""): TemperError =>
  new TemperError(
    "bad-option",
    `A memory of ${formatBytes(memory)} is too little: ${what} about ${formatBytes(needed)}. Raise --memory, or take fewer examples (--range).${remedy}`,
  );
