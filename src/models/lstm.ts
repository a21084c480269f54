import { int } from "../core/index.ts";
import { linear, lstm as recurrent, pure, sequential } from "../nn/index.ts";
import { reshape, transpose } from "../ops/index.ts";
import { defineModel } from "./definition.ts";

export const lstm = defineModel({
  name: "lstm",
  summary: "Long short-term memory that reads the image row by row; 82,186 parameters on MNIST.",
  source:
    "Hochreiter and Schmidhuber 1997; rows as steps: Le et al. 2015, A Simple Way to Initialize Recurrent Networks",
  options: { units: int({ default: 128, min: 1, max: 65_536, help: "numbers of the state" }) },
  build: ({ inputShape: [colors, height, width], classes }, { units }) =>
    sequential({
      rows: pure((x) => reshape(transpose(x, [0, 2, 1, 3]), [x.shape[0]!, height, colors * width])),
      lstm: recurrent(colors * width, units),
      fc: linear(units, classes),
    }),
});
