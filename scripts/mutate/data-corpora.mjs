// Data files of every format that the data layer reads, each made here.
import { gzipSync } from "node:zlib";
import jpeg from "jpeg-js";
import { createRng, sizeOf } from "temper/core";
import * as data from "temper/data";
import { mutation } from "./mutations.mjs";

const noise = (n, key) => {
  const values = new Float32Array(n);
  createRng(5).split(key).fillUniform(values, 0, 256);
  return Uint8Array.from(values);
};
const images = { dtype: "uint8", shape: [6, 5, 4], data: noise(120, 1) };
const floats = { dtype: "float32", shape: [3, 2, 4], data: Float32Array.from(noise(24, 2)) };

const filled = ({ shape, data: values }) => {
  if (values.length !== sizeOf(shape)) throw new Error("accepted, but the shape is not filled");
};
const picture = (bytes) => {
  const { width, height, channels, data: pixels } = data.decodeImage("a", bytes);
  if (pixels.length !== width * height * channels) throw new Error("accepted, but the picture is not filled");
};
const cifar = (bytes) => {
  const { pixels, labels } = data.readCifar("a", bytes);
  if (pixels.length !== labels.length * 3072) throw new Error("accepted, but labels and images differ");
};

const corpus = (name, files, read) => ({
  name,
  seeds: files.map((bytes, i) => ({ name: `${name} ${i}`, bytes: new Uint8Array(bytes), targets: [] })),
  damage: (subject, number, index) => mutation(subject.bytes, number, index, subject.targets),
  read,
});

export const dataCorpora = () => [
  corpus("npy", [data.writeNpy(images), data.writeNpy(floats)], (bytes) => filled(data.readNpy("a", bytes))),
  corpus("npz", [data.writeNpz({ x: images, y: floats })], (bytes) =>
    [...data.readNpz("a", bytes).values()].forEach(filled),
  ),
  corpus("IDX", [data.writeIdx(images)], (bytes) => filled(data.readIdx("a", bytes))),
  corpus("CIFAR binary", [data.writeCifar10(noise(3 * 3072, 3), [1, 5, 9])], cifar),
  corpus(
    "PNG",
    [1, 3].map((channels) =>
      data.encodePng({ width: 20, height: 14, channels, maximum: 255, data: noise(280 * channels, 4) }),
    ),
    picture,
  ),
  corpus("JPEG", [jpeg.encode({ width: 20, height: 14, data: noise(1120, 5) }, 50).data], picture),
  corpus("gzip", [gzipSync(noise(3000, 6).map((v) => v & 15))], (bytes) => data.gunzip("a", bytes)),
];
