/** The two networks of the benchmark: shapes, batches and the work of one pass. */

/** Products of a convolution's forward pass for one image. */
const conv = (inputs, outputs, kernel, side) => inputs * outputs * kernel * kernel * side * side;

const resnetConvs = () => {
  const list = [conv(3, 64, 3, 32)];
  let width = 64,
    side = 32;
  for (const [outputs, stride] of [
    [64, 1],
    [128, 2],
    [256, 2],
    [512, 2],
  ]) {
    side /= stride;
    list.push(conv(width, outputs, 3, side), conv(outputs, outputs, 3, side));
    if (stride > 1) list.push(conv(width, outputs, 1, side));
    list.push(conv(outputs, outputs, 3, side), conv(outputs, outputs, 3, side));
    width = outputs;
  }
  return list;
};

const sum = (list) => list.reduce((a, b) => a + b, 0);

/** `layers`: products of each layer's forward pass for one image, the first layer first. */
export const networks = {
  resnet18: {
    title: "ResNet-18 (32x32)",
    shape: [3, 32, 32],
    batches: [1, 64, 128],
    epsilon: 8 / 255,
    step: 2 / 255,
    parameters: 11_173_962,
    layers: [...resnetConvs(), 512 * 10],
  },
  mnist: {
    title: "MNIST 2-conv",
    shape: [1, 28, 28],
    batches: [1, 16, 256],
    epsilon: 0.1,
    step: 0.01,
    parameters: 166_406,
    layers: [conv(1, 16, 4, 14), conv(16, 32, 4, 7), 1568 * 100, 100 * 10],
  },
};

/**
 * Floating point operations of one run: two a product. A gradient repeats every layer once (data gradients), a training
 * step twice (data and weight gradients) except for the first layer's data gradient.
 */
export const flops = (name, mode, batch) => {
  const { layers } = networks[name];
  const passes = { forward: 1, gradient: 2, train: 3 }[mode];
  return 2 * batch * (passes * sum(layers) - (mode === "train" ? layers[0] : 0));
};
