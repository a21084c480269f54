import { fosc } from "../../attack/index.ts";
import { reduceMean } from "../../ops/index.ts";
import { type Branch, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

const watched: Branch<unknown> = {
  view: (context) => {
    const { points, first } = context.attack({ watch: (at) => fosc(at, context) });
    return { x: points, ...(first && { reports: { fosc: reduceMean(first, [0]) } }) };
  },
};

export const foscDynamic = defineRecipe({
  name: "fosc-dynamic",
  summary:
    "Adversarial training whose attack stops, example by example, at a stationarity that is asked for more and more.",
  source: "Wang et al. 2019, On the Convergence and Robustness of Adversarial Training",
  options: {},
  settings: { steps: 10, relativeStep: 0.25, stop: "fosc", control: "fosc" },
  branches: () => ({ adversarial: watched }),
  terms: () => [crossEntropyOf("adversarial", "both")],
});
