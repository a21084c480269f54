import { countOf, describeDataset, fetchDataset, loadDataset } from "../data/index.ts";
import { text, TemperError } from "../core/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { dataRoot } from "./data-root.ts";
import { dataOptions, openDataset } from "./shared-options.ts";

const FETCHABLE = ["mnist", "fashion-mnist", "cifar10"] as const;

export const dataCommand = defineCommand({
  name: "data",
  summary: "Fetch a data set from its publisher, or show what a file or folder holds.",
  positionals: [
    { name: "action", help: "what to do", choices: ["fetch", "show"] },
    { name: "name", help: "fetch: a data set's name; show: a name, file or folder" },
  ],
  options: {
    split: dataOptions.split,
    pixelRange: dataOptions.pixelRange,
    dataLayout: dataOptions.dataLayout,
    url: text({
      default: undefined,
      help: "fetch from this address instead of the publisher's (a mirror with the same files)",
    }),
  },
  examples: ["temper data fetch mnist", "temper data show images/ --split train"],
  run: async ({ args: [action, name], options, output, signal }) => {
    if (action === "show") {
      const { ...summary } = describeDataset(await openDataset({ ...options, data: name!, range: undefined }));
      for (const [key, value] of Object.entries(summary))
        output.print(`${key.padEnd(9)} ${Array.isArray(value) ? value.join(", ") : String(value)}`);
      output.document(summary);
      return EXIT.done;
    }
    if (!FETCHABLE.some((known) => known === name))
      throw new TemperError("bad-option", `data fetch: name must be one of ${FETCHABLE.join(", ")}, got ${name}.`);
    const root = dataRoot();
    await fetchDataset(name as (typeof FETCHABLE)[number], {
      dataRoot: root,
      signal,
      ...(options.url !== undefined && { baseUrl: options.url }),
      onProgress: ({ file, receivedBytes, totalBytes, note }) =>
        note === undefined
          ? output.progress(file, receivedBytes, totalBytes, "bytes")
          : output.note(`${file}: ${note}`),
    });
    const dataset = await loadDataset(name!, { split: options.split, dataRoot: root });
    output.print(`${name} is in ${root}: ${countOf(dataset)} ${dataset.split} examples.`);
    output.document({ name, dataRoot: root, count: countOf(dataset), split: dataset.split });
    return EXIT.done;
  },
});
