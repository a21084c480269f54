import { TemperError } from "../core/index.ts";
import type { Dataset, Split } from "./dataset.ts";
import { listFolder, readDataFile } from "./files.ts";
import { type LabelledImage, datasetFromImages, decodeImage } from "./images.ts";
import { checkSize } from "./limits.ts";
import { type ReadContext, loadCifar, loadFile, loadIdx } from "./load-file.ts";
import { groupBySplit, missingSplit } from "./split-names.ts";

type Groups = Partial<Record<Split, string[]>>;

interface Listing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
}

/** A way to keep a data set in a folder. The first whose files are there is taken. */
interface FolderFormat {
  readonly expects: string;
  readonly find: (listing: Listing) => Groups;
  readonly load: (folder: string, names: readonly string[], context: ReadContext) => Promise<Dataset>;
}

/** Numbers in names in numeric order: data_batch_2 before data_batch_10. */
const natural = new Intl.Collator("en", { numeric: true }).compare;

/** Leaves out `x.gz` where `x` lies beside it: the same data twice. */
const withoutTwins = (files: readonly string[]): string[] =>
  files.filter((name) => !(name.endsWith(".gz") && files.includes(name.slice(0, -3))));

const IMAGE_NAME = /\.(png|jpe?g)(\.gz)?$/i;

const idxFolder: FolderFormat = {
  expects: "train-images-idx3-ubyte and t10k-images-idx3-ubyte with their labels",
  find: ({ files }) => groupBySplit(files.filter((name) => /images[-.]idx\d-ubyte(\.gz)?$/i.test(name))),
  load: (folder, names, context) => loadIdx(`${folder}/${names[0]!}`, context),
};

const cifarFolder: FolderFormat = {
  expects: "data_batch_*.bin and test_batch.bin (any .bin with train, val or test in its name)",
  find: ({ files }) => groupBySplit(files.filter((name) => /\.bin(\.gz)?$/i.test(name))),
  load: (folder, names, context) =>
    loadCifar(
      [...names].sort(natural).map((name) => `${folder}/${name}`),
      context,
    ),
};

const npyFolder: FolderFormat = {
  expects: "x_train.npy, y_train.npy, x_test.npy, y_test.npy",
  find: ({ files }) =>
    groupBySplit(files.filter((name) => /^((x|images|inputs)_\w+|\w+_(x|images|inputs))\.npy(\.gz)?$/i.test(name))),
  load: (folder, names, context) => loadFile(`${folder}/${names[0]!}`, context),
};

const npzFolder: FolderFormat = {
  expects: "one .npz file, or one a split with train, val or test in its name",
  find: ({ files }) => {
    const archives = files.filter((name) => /\.npz(\.gz)?$/i.test(name));
    return archives.length === 1 ? { train: archives, validation: archives, test: archives } : groupBySplit(archives);
  },
  load: (folder, names, context) => loadFile(`${folder}/${names[0]!}`, context),
};

const readClass = async (folder: string, label: number, context: ReadContext): Promise<LabelledImage[]> => {
  const { files } = await listFolder(folder);
  const items: LabelledImage[] = [];
  let total = 0;
  for (const file of files.filter((name) => IMAGE_NAME.test(name))) {
    const name = `${folder}/${file}`;
    const image = decodeImage(name, await readDataFile(name, context.maxBytes));
    total += image.data.byteLength;
    checkSize(folder, total, context.maxBytes);
    items.push({ name, label, image });
  }
  return items;
};

const loadClasses = async (
  root: string,
  names: readonly string[],
  context: ReadContext,
  notes: readonly string[],
): Promise<Dataset> => {
  const items: LabelledImage[] = [];
  let total = 0;
  for (const [label, name] of names.entries()) {
    const read = await readClass(`${root}/${name}`, label, context);
    total += read.reduce((sum, { image }) => sum + image.data.byteLength, 0);
    checkSize(root, total, context.maxBytes);
    for (const item of read) items.push(item);
  }
  const classes = context.classes ?? names;
  return datasetFromImages({ ...context, source: root, classes, notes }, items, context.maxBytes);
};

const imageFolder: FolderFormat = {
  expects: "train and test folders, each with one folder of PNG or JPEG files a class",
  find: ({ folders }) =>
    groupBySplit(folders.filter((name) => /^(train(ing)?|test(ing)?|val(id(ation)?)?)$/i.test(name))),
  load: async (folder, names, context) => {
    const root = `${folder}/${names[0]!}`;
    return loadClasses(root, (await listFolder(root)).folders, context, []);
  },
};

/** In this order: the more particular names first. */
const FORMATS: readonly FolderFormat[] = [idxFolder, cifarFolder, npyFolder, npzFolder, imageFolder];

const hasImages = async (folder: string, names: readonly string[]): Promise<boolean> => {
  for (const name of names)
    if ((await listFolder(`${folder}/${name}`)).files.some((file) => IMAGE_NAME.test(file))) return true;
  return false;
};

/**
 * Loads the asked split of a data set kept in a folder under the usual names: IDX (MNIST), CIFAR binary, .npy, .npz,
 * folders of PNG or JPEG by class (under split folders, or alone). Classes of image folders are their names in code
 * unit order, as other toolkits number them.
 *
 * @throws TemperError `not-found`: no such files, or not that split; else as the readers of the formats
 */
export const loadFolder = async (folder: string, context: ReadContext): Promise<Dataset> => {
  const { files, folders } = await listFolder(folder);
  const listing = { folders, files: withoutTwins(files) };
  for (const format of FORMATS) {
    const groups = format.find(listing);
    if (Object.keys(groups).length === 0) continue;
    const names = groups[context.split];
    if (!names) throw missingSplit(folder, context.split, groups);
    return format.load(folder, names, context);
  }
  if (await hasImages(folder, listing.folders)) {
    const note = `the folder does not name splits: all of it was taken as ${context.split}`;
    return loadClasses(folder, listing.folders, context, [note]);
  }
  const found = [...listing.folders.map((name) => `${name}/`), ...listing.files].slice(0, 8).join(", ");
  throw new TemperError(
    "not-found",
    `${folder} holds no data set under a usual name. Expected ${FORMATS.map(({ expects }) => expects).join("; or ")}. ` +
      `Found: ${found || "nothing"}.`,
  );
};
