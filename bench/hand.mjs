/**
 * The hand-written ONNX graphs of the developers' laboratory (an eval-mode ResNet-18 with folded batch norm: forward
 * and input gradient), as a side of the benchmark. Only where that folder lies beside the checkout.
 */
import { existsSync } from "node:fs";
import { serve } from "./serve.mjs";

const laboratory = new URL("../../shared/engine-lab/", import.meta.url);
export const hasLaboratory = () => existsSync(new URL("round2/rn18eval.mjs", laboratory));

const network = async ({ mode, batch }, threads) => {
  const { graphs } = await import(new URL("round2/rn18eval.mjs", laboratory));
  const { ort } = await import(new URL("lib.mjs", laboratory));
  const session = await ort.InferenceSession.create(graphs(batch, mode === "forward" ? "fwd" : "grad").model(), {
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: { force_spinning_stop: "1" } },
  });
  const x = Float32Array.from({ length: batch * 3072 }, (_, i) => ((i * 7919) % 1009) / 1009);
  const y = Float32Array.from({ length: batch * 10 }, (_, i) => (i % 10 === Math.floor(i / 10) % 10 ? 1 : 0));
  const feeds = { x: new ort.Tensor("float32", x, [batch, 3, 32, 32]) };
  if (mode !== "forward") feeds.y = new ort.Tensor("float32", y, [batch, 10]);
  return { run: () => session.run(feeds) };
};

if (process.argv[1]?.endsWith("hand.mjs")) await serve({ network });
