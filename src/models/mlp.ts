import { numbers, TemperError } from "../core/index.ts";
import { flatten, type Layer, linear, relu, sequential } from "../nn/index.ts";
import { defineModel } from "./definition.ts";

export const mlp = defineModel({
  name: "mlp",
  summary: "Dense layers with ReLU between them, on the flattened image.",
  source: "classical; sizes 300,100 give LeNet-300-100 (LeCun et al. 1998)",
  options: { sizes: numbers({ default: [256, 256], min: 1, max: 1e6, help: "units of the hidden layers" }) },
  build: ({ inputShape, classes }, { sizes }) => {
    if (!sizes.every(Number.isInteger))
      throw new TemperError("bad-option", `mlp: sizes must be whole numbers, got ${sizes.join(", ")}.`);
    const widths = [inputShape.reduce((a, b) => a * b), ...sizes, classes];
    const layers: Record<string, Layer> = { flatten };
    widths.slice(1).forEach((width, i) => {
      layers[`fc${i + 1}`] = linear(widths[i]!, width);
      if (i < sizes.length) layers[`relu${i + 1}`] = relu;
    });
    return sequential(layers);
  },
});
