import { lookup, text } from "../core/index.ts";
import { builtinDatasets, countOf, type Dataset, describeDataset, fetchDataset, loadDataset } from "../data/index.ts";
import { type CommandContext, defineCommand, EXIT } from "./command.ts";
import { dataRoot } from "./data-root.ts";
import { dataOptions, openDataset } from "./shared-options.ts";

const fetchable = Object.fromEntries(Object.entries(builtinDatasets).filter(([, { kind }]) => kind === "fetched"));

const options = {
  split: dataOptions.split,
  range: dataOptions.range,
  pixelRange: dataOptions.pixelRange,
  dataLayout: dataOptions.dataLayout,
  url: text({
    default: undefined,
    help: "fetch from this address instead of the publisher's (a mirror with the same files)",
  }),
} as const;
type Context = CommandContext<typeof options>;

export const dataCommand = defineCommand({
  name: "data",
  summary: "Fetch a data set from its publisher, or show what a file or folder holds.",
  positionals: [
    { name: "action", help: "what to do", choices: ["fetch", "show"] },
    { name: "name", help: "fetch: a data set's name; show: a name, file or folder" },
  ],
  options,
  examples: ["temper data fetch mnist", "temper data show images/ --split train"],
  run: async (context) => {
    if (context.args[0] === "show") await show(context);
    else await fetchOne(context);
    return EXIT.done;
  },
});

const show = async ({ args, options: given, output }: Context): Promise<void> => {
  const dataset = await openDataset({ ...given, data: args[1]! });
  const { notes, ...facts } = describeDataset(dataset),
    perClass = countPerClass(dataset);
  const line = (key: string, value: string): void => output.print(`${key.padEnd(9)} ${value}`);
  for (const [key, value] of Object.entries(facts))
    if (key !== "classes") line(key, Array.isArray(value) ? value.join(key === "shape" ? "x" : " to ") : String(value));
  line("classes", dataset.classes.map((name, k) => `${name} (${perClass[k]})`).join(", "));
  for (const note of notes) line("note", note);
  output.document({ ...facts, perClass, notes });
};

const countPerClass = ({ labels, classes }: Dataset): number[] => {
  const counts = classes.map(() => 0);
  for (const label of labels) counts[label]!++;
  return counts;
};

const fetchOne = async ({ args, options: { url, split }, output, signal }: Context): Promise<void> => {
  const name = args[1]! as keyof typeof builtinDatasets,
    root = dataRoot();
  lookup(fetchable, name, "data set to fetch");
  await fetchDataset(name, {
    dataRoot: root,
    signal,
    ...(url !== undefined && { baseUrl: url }),
    onProgress: ({ file, receivedBytes, totalBytes, note }) =>
      note === undefined ? output.progress(file, receivedBytes, totalBytes, "bytes") : output.note(`${file}: ${note}`),
  });
  const dataset = await loadDataset(name, { split, dataRoot: root });
  output.print(`${name} is in ${root}: ${countOf(dataset)} ${dataset.split} examples.`);
  output.document({ name, dataRoot: root, count: countOf(dataset), split: dataset.split });
};
