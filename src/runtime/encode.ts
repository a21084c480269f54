import type { Graph } from "../graph/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { toOnnx } from "../ops/index.ts";
import { BLOCKED_DOMAIN } from "./lower/index.ts";
import { openShapes } from "./open-shapes.ts";

/** A lowered graph as the bytes that a session is made from. */
export const encode = (graph: Graph): Uint8Array => {
  const model = toOnnx(graph, { domains: { [BLOCKED_DOMAIN]: 1 } }),
    isBlocked = model.opsetImport!.some(({ domain }) => domain === BLOCKED_DOMAIN);
  return concatChunks(encodeModel(isBlocked ? openShapes(model) : model));
};
