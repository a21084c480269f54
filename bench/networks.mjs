/** The networks of the benchmark: what is measured of each, and what it is on our side and on the peer's (peer.py). */

const ALL = ["forward", "gradient", "train"];
const BACKWARD = ["gradient", "train"];

/**
 * `model`, `options`: the library's architecture; `shape`: of one input; `channelsLast`: PyTorch is measured in both
 * memory formats; `laboratory`: hand-written graphs of it exist; `portable`: beside our portable lowering; `bars`: by
 * mode and batch, for both of PyTorch's sides.
 */
export const networks = {
  resnet18: {
    title: "ResNet-18 (32x32)",
    model: "resnet-18",
    shape: [3, 32, 32],
    modes: ALL,
    batches: [1, 64, 128],
    channelsLast: true,
    laboratory: true,
    bars: {
      forward: { 1: 1.5, 64: 1.3, 128: 1.4 },
      gradient: { 1: 1.6, 64: 1.35, 128: 1.4 },
      train: { 1: 1.1, 64: 1.3, 128: 1.5 },
    },
    epsilon: 8 / 255,
    step: 2 / 255,
  },
  mnist: {
    title: "MNIST 2-conv",
    model: "small-cnn",
    shape: [1, 28, 28],
    modes: ALL,
    batches: [1, 16, 256],
    bars: {
      forward: { 1: 3, 16: 2, 256: 2 },
      gradient: { 1: 4, 16: 1.8, 256: 1.6 },
      train: { 1: 2.5, 16: 1.8, 256: 1.6 },
    },
    epsilon: 0.1,
    step: 0.01,
  },
  vit: {
    title: "transformer block (192 wide, 3 heads, 65 tokens: a ViT of one)",
    model: "vit",
    options: { depth: 1 },
    shape: [3, 32, 32],
    modes: ALL,
    batches: [64],
    bars: { forward: { 64: 1.05 }, gradient: { 64: 1.05 }, train: { 64: 1.1 } },
  },
  "wide-resnet": {
    title: "wide-resnet-16-4 (32x32)",
    model: "wide-resnet-16-4",
    shape: [3, 32, 32],
    modes: BACKWARD,
    batches: [32],
    channelsLast: true,
    bars: { gradient: { 32: 1.3 }, train: { 32: 1.3 } },
  },
  vgg16: {
    title: "VGG-16 (32x32)",
    model: "vgg-16",
    shape: [3, 32, 32],
    modes: BACKWARD,
    batches: [32],
    channelsLast: true,
    bars: { gradient: { 32: 1.3 }, train: { 32: 1.3 } },
  },
  densenet121: {
    title: "DenseNet-121 (32x32)",
    model: "densenet-121",
    shape: [3, 32, 32],
    modes: BACKWARD,
    batches: [32],
    channelsLast: true,
    bars: { gradient: { 32: 1 }, train: { 32: 1 } },
  },
  "mobilenet-v2": {
    title: "MobileNet-V2 (32x32)",
    model: "mobilenet-v2",
    shape: [3, 32, 32],
    modes: BACKWARD,
    batches: [32],
    channelsLast: true,
    bars: { gradient: { 32: 1 }, train: { 32: 1 } },
  },
  unet: {
    title: "U-Net (32x32)",
    model: "unet",
    shape: [3, 32, 32],
    modes: BACKWARD,
    batches: [32],
    channelsLast: true,
    bars: { gradient: { 32: 1.3 }, train: { 32: 1.3 } },
  },
  lstm: {
    title: "LSTM classifier (128 units, 64 steps)",
    model: "lstm",
    shape: [1, 64, 64],
    modes: BACKWARD,
    batches: [32],
    bars: { gradient: { 32: 1 }, train: { 32: 1 } },
  },
  "odd-28": {
    title: "odd sizes (100 channels, dilation 2, 4 groups, 28x28)",
    model: "odd",
    shape: [3, 28, 28],
    modes: ALL,
    batches: [50],
    channelsLast: true,
    portable: true,
    bars: {},
  },
  "odd-33": {
    title: "odd sizes (100 channels, dilation 2, 4 groups, 33x33)",
    model: "odd",
    shape: [3, 33, 33],
    modes: ALL,
    batches: [50],
    channelsLast: true,
    portable: true,
    bars: {},
  },
};
