import { bool } from "../core/index.ts";
import { describeMachine } from "../evaluate/index.ts";
import { blockSize, DEVICES, gpuStatus, measureCeilings } from "../runtime/index.ts";
import { formatTable } from "../report/index.ts";
import { defineCommand, EXIT } from "./command.ts";

export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "Show versions, devices, measured ceilings, and what is missing for a GPU.",
  positionals: [],
  options: { measure: bool({ default: true, help: "measure the ceilings (a few seconds)" }) },
  examples: ["temper doctor", "temper doctor --no-measure --json"],
  run: async ({ options: { measure }, output }) => {
    const machine = describeMachine(),
      gpus = gpuStatus(),
      block = await blockSize();
    const layout = block > 0 ? `layout in blocks of ${block} channels` : "portable layout only";
    output.print(
      formatTable(
        [],
        Object.entries(machine).map(([key, value]) => [key, String(value)]),
      ),
    );
    output.print("");
    output.print(
      formatTable(
        ["device", "ready", "found", "remedy"],
        [
          ["cpu", "yes", `ONNX Runtime ${machine.onnxruntime}, ${machine.threads} threads, ${layout}`, ""],
          ["reference", "yes", "operators in float64, in this package", ""],
          ...gpus.map(({ name, ready, found, remedy }) => [name, ready ? "yes" : "no", found, remedy]),
        ],
      ),
    );
    const ceilings = measure ? await measureCeilings() : [];
    if (measure) {
      output.print("");
      output.print(
        formatTable(
          ["ceiling", "GFLOP/s", "ms"],
          ceilings.map((c) => [c.name, c.gigaflops.toFixed(0), (1000 * c.seconds).toFixed(2)]),
        ),
      );
    }
    output.document({ machine, devices: DEVICES, block, gpus, ceilings });
    return EXIT.done;
  },
});
