/** A file as its publisher offers it. */
export interface PublishedFile {
  readonly name: string;
  /** Size at the publisher; a download that grows to twice this is given up. */
  readonly bytes: number;
  readonly md5: string;
}

/** Where a data set is published and how its files are known to be right. */
export interface Publication {
  /** Folders that hold the files; tried in this order. */
  readonly addresses: readonly string[];
  readonly files: readonly PublishedFile[];
  /** For a tar archive: the files of it that are kept (by their last name); the archive itself is then removed. */
  readonly members?: readonly string[];
}

/**
 * The data sets that can be fetched. Sources of addresses and checksums: the publishers' pages; for MNIST the mirrors
 * that torchvision and TensorFlow use.
 */
export const publications = {
  mnist: {
    addresses: [
      "https://ossci-datasets.s3.amazonaws.com/mnist/",
      "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    files: [
      { name: "train-images-idx3-ubyte.gz", bytes: 9_912_422, md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873" },
      { name: "train-labels-idx1-ubyte.gz", bytes: 28_881, md5: "d53e105ee54ea40749a09fcbcd1e9432" },
      { name: "t10k-images-idx3-ubyte.gz", bytes: 1_648_877, md5: "9fb629c4189551a2d022fa330f9573f3" },
      { name: "t10k-labels-idx1-ubyte.gz", bytes: 4_542, md5: "ec29112dd5afa0611ce80d1b7f02629c" },
    ],
  },
  "fashion-mnist": {
    addresses: ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    files: [
      { name: "train-images-idx3-ubyte.gz", bytes: 26_421_880, md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d" },
      { name: "train-labels-idx1-ubyte.gz", bytes: 29_515, md5: "25c81989df183df01b3e8a0aad5dffbe" },
      { name: "t10k-images-idx3-ubyte.gz", bytes: 4_422_102, md5: "bef4ecab320f06d8554ea6380940ec79" },
      { name: "t10k-labels-idx1-ubyte.gz", bytes: 5_148, md5: "bb300cfdad3c16e7a12a480ee83cd310" },
    ],
  },
  cifar10: {
    addresses: ["https://www.cs.toronto.edu/~kriz/"],
    files: [{ name: "cifar-10-binary.tar.gz", bytes: 170_052_171, md5: "c32a1d4ab5d03f1284b67883e8d87530" }],
    members: [
      "data_batch_1.bin",
      "data_batch_2.bin",
      "data_batch_3.bin",
      "data_batch_4.bin",
      "data_batch_5.bin",
      "test_batch.bin",
      "batches.meta.txt",
    ],
  },
} satisfies Record<string, Publication>;

export type PublishedName = keyof typeof publications;
