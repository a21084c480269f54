import { bool, formatBytes } from "../core/index.ts";
import {
  blockSize,
  describeMachine,
  DEVICES,
  gpuStatus,
  keptModels,
  keptRoot,
  keptWinogradChoice,
  measureCeilings,
  type WinogradChoice,
  winogradChoice,
} from "../runtime/index.ts";
import { formatTable } from "../report/index.ts";
import { defineCommand, EXIT } from "./command.ts";

export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "Show versions, devices, measured ceilings, and what is missing for a GPU.",
  positionals: [],
  options: {
    measure: bool({
      default: true,
      help: "measure the ceilings (a few seconds), and Winograd's convolutions where that was not done yet",
    }),
  },
  examples: ["temper doctor", "temper doctor --no-measure --json"],
  run: async ({ options: { measure }, output }) => {
    const winograd = measure ? await winogradChoice() : keptWinogradChoice();
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
    if (block > 0) {
      output.print("");
      output.print(winogradText(winograd));
    }
    const models = keptModels(),
      kept = { folder: keptRoot(), graphs: models.length, bytes: models.reduce((sum, { bytes }) => sum + bytes, 0) };
    output.print(keptText(kept));
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
    output.document({ machine, devices: DEVICES, block, gpus, winograd, kept, ceilings });
    return EXIT.done;
  },
});

const milliseconds = (seconds: number): string => (1000 * seconds).toFixed(2);

const keptText = ({ folder, graphs, bytes }: { folder: string | undefined; graphs: number; bytes: number }): string =>
  folder === undefined
    ? "\nNothing is kept between runs (TEMPER_CACHE=off)."
    : `\nKept between runs in ${folder}: ${graphs} lowered ${graphs === 1 ? "graph" : "graphs"}, ${formatBytes(bytes)}. TEMPER_CACHE names another folder, or is off.`;

/** What decides between two forms of convolutions, and from which times on this machine. */
const winogradText = (choice: WinogradChoice | undefined): string => {
  if (!choice)
    return "Winograd's convolutions: not measured on this machine yet; the first attack that can use them does.";
  const measured = choice.measured.map(({ channels, size, directSeconds, winogradSeconds }) => [
    `${channels} channels at ${size}x${size}`,
    milliseconds(directSeconds),
    milliseconds(winogradSeconds),
  ]);
  const said = `Winograd's convolutions: from ${choice.minChannels} channels on`;
  if (measured.length === 0) return `${said}, the default: what is measured here cannot be kept.`;
  return `${said}, measured once\n\n${formatTable(["two 3x3 convolutions", "direct ms", "Winograd ms"], measured)}`;
};
