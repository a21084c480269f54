import type { Graph } from "../graph/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { toOnnx } from "../ops/index.ts";
import { BLOCKED_DOMAIN } from "./lower/index.ts";

/** A lowered graph as the bytes that a session is made from. */
export const encode = (graph: Graph): Uint8Array =>
  concatChunks(encodeModel(toOnnx(graph, { domains: { [BLOCKED_DOMAIN]: 1 } })));
