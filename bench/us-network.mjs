/** The benchmark's networks on our side: loaded from the ONNX files that the peer wrote, so that weights are equal. */
import { readFileSync } from "node:fs";
import { i64 } from "../dist/core/index.js";
import { decodeModel } from "../dist/onnx/index.js";
import { bindParameters, importModel } from "../dist/ops/index.js";
import { networks } from "./networks.mjs";

export const readModel = (file) => importModel(decodeModel(readFileSync(file)));
/** The network as a graph `x -> logits`, weights bound. */
export const readNetwork = (file) => bindParameters(readModel(file));

/** Feeds of a gradient graph: n images and their labels. */
export const feedsOf = (name, x, labels) => ({
  x: { dtype: "float32", shape: [labels.length, ...networks[name].shape], data: x },
  labels: i64(Array.from(labels)),
});

/** Images that both sides can form, and labels 0, 1, 2, ...; as in peer.py. */
export const commonBatch = (name, batch) => {
  const size = networks[name].shape.reduce((a, b) => a * b, 1);
  return {
    x: Float32Array.from({ length: batch * size }, (_, i) => ((i * 7919) % 1009) / 1009),
    labels: Int32Array.from({ length: batch }, (_, i) => i % 10),
  };
};
