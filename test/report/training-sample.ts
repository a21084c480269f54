import { createRng } from "temper/core";
import type { HistoryRecord, TrainingReport } from "temper/report";

/** A made-up but realistic run: the rate falls at half, and robust accuracy on validation data falls behind after it. */
export const sampleTraining = ({
  epochs = 30,
  done = epochs,
  notes = [
    {
      at: 12,
      message: "Robust accuracy fell by 9 points in an epoch: went back to the state of epoch 11, rate halved.",
    },
    { message: "No weight decay on 42 normalizations and biases." },
  ],
}: { epochs?: number; done?: number; notes?: TrainingReport["notes"] } = {}): TrainingReport => {
  const rng = createRng(4);
  const history = Array.from({ length: done }, (_, i): HistoryRecord => {
    const t = (i + 1) / epochs,
      late = Math.max(0, t - 0.5),
      noise = (): number => 0.01 * (rng.uniform() - 0.5);
    const rise = 1 - Math.exp(-5 * t);
    return {
      epoch: i + 1,
      step: 78 * (i + 1),
      loss: 2.3 - 1.1 * rise - 0.9 * late + noise(),
      "loss/clean": 1.6 - 0.8 * rise - 0.6 * late,
      "loss/stability": 0.7 - 0.3 * rise - 0.3 * late,
      trainAccuracy: 0.35 + 0.4 * rise + 0.4 * late + noise(),
      trainRobustAccuracy: 0.2 + 0.25 * rise + 0.6 * late + noise(),
      validationAccuracy: 0.34 + 0.38 * rise + 0.1 * late + noise(),
      validationRobustAccuracy: i % 2 === 0 || i === done - 1 ? 0.19 + 0.28 * rise - 0.12 * late + noise() : null,
      lr: 0.1 * (t < 0.5 ? 1 : t < 0.75 ? 0.1 : 0.01),
      gradientEvaluations: 110_000 * (i + 1),
      imagesPerSecond: 340 + 400 * noise(),
      idleShare: 0.012 + 0.2 * Math.abs(noise()),
      seconds: 29.4 * (i + 1),
      gradientNorm: 1.4 + 0.4 * t + 4 * noise(),
    };
  });
  return {
    title: "pgd-at: preact-resnet-18 on cifar10",
    config: {
      recipe: "pgd-at",
      model: "preact-resnet-18",
      modelOptions: {},
      options: {
        epochs,
        batchSize: 128,
        lr: 0.1,
        epsilon: 8 / 255,
        milestones: [0.5, 0.75],
        group: [],
        groups: { head: { lr: 0.1 } },
      },
      mean: [0.4914, 0.4822, 0.4465],
      dataHash: "sha256:9a1be0d2c44f7a1e1fb4b3e5c8d9f00112233445566778899aabbccddeeff001",
      validationHash: null,
    },
    environment: { cpu: "AMD EPYC 7B13", threads: 4, platform: "linux-x64", temper: "0.1.0", node: "20.20.2" },
    history,
    notes,
    finished: done === epochs,
    writtenAt: "2026-03-04T12:34:56.789Z",
  };
};
