import type { Dataset } from "temper/data";
import { loadDataset } from "temper/data";
import type { AttackSpec } from "temper/evaluate";
import { type Classifier, loadClassifier } from "temper/models";
import { shared } from "../shared.ts";

/** A network of others with what is known about it. */
export interface Published {
  readonly file: string;
  readonly data: "mnist" | "cifar10";
  readonly epsilon: number;
  readonly attacks: readonly AttackSpec[];
  /** Correct examples of the whole test data here. */
  readonly right: number;
  readonly count: number;
  /** Where the robust accuracy must lie, as fractions. */
  readonly robust: readonly [number, number];
}

/** Sources: the networks' authors; clean counts by ONNX Runtime alone. */
export const published = {
  "Wong and Kolter's certified network, l-inf 0.1": {
    file: "kw_mnist_eps0.1.onnx",
    data: "mnist",
    epsilon: 0.1,
    attacks: [{ name: "pgd", options: { steps: 40 } }, { name: "apgd-ce" }],
    right: 9820,
    count: 10_000,
    robust: [0.942, 0.961], // its certificate holds for 94.2 %
  },
  "a plainly trained LeNet-5, l-inf 0.3": {
    file: "mnist_lenet5_clntrained.onnx",
    data: "mnist",
    epsilon: 0.3,
    attacks: [{ name: "pgd", options: { steps: 40, stepSize: 0.01, randomStart: false } }],
    right: 9889,
    count: 10_000,
    robust: [0, 0],
  },
  "a plainly trained ResNet-20, l-inf 8/255": {
    file: "cifar10_resnet20.onnx",
    data: "cifar10",
    epsilon: 8 / 255,
    attacks: [{ name: "pgd", options: { steps: 20 } }],
    right: 915,
    count: 1000,
    robust: [0, 0.002],
  },
} satisfies Record<string, Published>;

/** Its test data, and the network fitted to it. */
export const openPublished = async ({ file, data }: Published): Promise<{ model: Classifier; dataset: Dataset }> => {
  const dataset = await loadDataset(shared(data), { split: "test" });
  return { model: await loadClassifier(shared(`models/${file}`), dataset.shape), dataset };
};
