import { f32, sizeOf, type Tensor } from "../core/index.ts";
import { constant, float32, type Graph, trace } from "../graph/index.ts";
import { convTranspose } from "../ops/index.ts";
import { encode } from "./encode.ts";
import { keep, nameHere, readKept } from "./kept.ts";
import { blocked } from "./lower/blocked.ts";
import { lowerForCpu } from "./lower/index.ts";
import { createSession } from "./session.ts";

let known: Promise<number> | undefined;

/**
 * Channels in a block of ONNX Runtime's own layout on this machine: 16 with AVX-512, 8 with AVX2. 0 where it has none,
 * or where a gradient computed with it is not what the portable lowering gives. Asked of the runtime once a thread.
 */
export const blockSize = (): Promise<number> => (known ??= probe().catch(() => 0)); // no such operators: no blocks

const probe = async (): Promise<number> => {
  // Channel c holds 4 c, 4 c + 1, ...: the block ends where the second pixel of channel 0 follows.
  const order = await once(
    trace("order", { x: float32(1, 32, 2, 2) }, ({ x }) => blocked(x)),
    { x: ramp([1, 32, 2, 2], 1) },
  );
  const block = order.indexOf(1);
  return block > 1 && 16 % block === 0 && (await isRight(block)) ? block : 0;
};

/** The block is asked anew each time, for a disk may serve several machines; that it computes right is found once. */
const isRight = async (block: number): Promise<boolean> => {
  const name = nameHere("block", block),
    kept = readKept(name, (value) => typeof value === "boolean");
  if (kept !== undefined) return kept;
  const found = await agrees(block);
  keep(name, found);
  return found;
};

/** A small data gradient of a strided convolution, both ways. */
const agrees = async (block: number): Promise<boolean> => {
  const graph = trace("self-test", { g: float32(2, 32, 3, 3) }, ({ g }) =>
    convTranspose(g, constant(ramp([32, 16, 4, 4], 7919)), undefined, { strides: [2, 2], pads: [1, 1, 1, 1] }),
  );
  const feeds = { g: ramp([2, 32, 3, 3], 104729) };
  const [fast, portable] = [await once(lowerForCpu(graph, { block }), feeds), await once(lowerForCpu(graph), feeds)];
  const largest = portable.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return fast.length === portable.length && fast.every((v, i) => Math.abs(v - portable[i]!) <= 1e-5 * largest);
};

/** 0, 1, 2, ... or, with a large factor, numbers below 1009 in no order. */
const ramp = (shape: readonly number[], factor: number): Tensor =>
  f32(
    Array.from({ length: sizeOf(shape) }, (_, i) => (factor === 1 ? i : ((i * factor) % 1009) - 504)),
    shape,
  );

const once = async (graph: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<Float32Array> => {
  const session = await createSession(encode(graph), "cpu", 1);
  const name = Object.keys(graph.outputs)[0]!;
  try {
    return (await session.run(feeds, [name]))[name]!.data as Float32Array;
  } finally {
    await session.release();
  }
};
