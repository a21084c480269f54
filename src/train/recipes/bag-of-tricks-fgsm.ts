import { choice, createRng, f32, float, sizeOf } from "../../core/index.ts";
import { constant, type Value } from "../../graph/index.ts";
import { add, cast, greaterOrEqual, mul, reduceSum, scalarLike, square, sub } from "../../ops/index.ts";
import { type Branch, defineRecipe, type Term, type ViewContext } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

interface Options {
  readonly mask: number;
  readonly maskPattern: "random" | "fixed" | "grid";
  readonly maskTarget: "image" | "gradient";
  readonly firstLayer: number;
}

/** 1 where a pixel is seen, else 0; alike in all channels. */
const maskOf = ({ x, options: { mask, maskPattern }, settings, draw }: ViewContext<Options>): Value => {
  const [n, , height = 1, width = 1] = x.shape;
  if (maskPattern === "random") {
    const drawn = draw("uniform", x, [n!, 1, height, width]); // from [-1, 1)
    return cast(greaterOrEqual(drawn, scalarLike(drawn, 2 * mask - 1)), "float32");
  }
  const size = sizeOf([height, width]),
    hidden = Math.round(mask * size),
    seen = new Float32Array(size).fill(1);
  const order = createRng(settings.seed).split("mask").permutation(size);
  for (let i = 0; i < hidden; i++) seen[maskPattern === "fixed" ? order[i]! : Math.floor((i * size) / hidden)] = 0;
  return constant(f32(seen, [1, 1, height, width]));
};

const masked: Branch<Options> = {
  view: (context) => {
    const { x, options, attack, project } = context;
    if (options.mask === 0) return attack().points;
    const seen = mul(x, maskOf(context)),
      { points } = attack({ around: seen });
    return options.maskTarget === "image" ? points : project(add(x, sub(points, seen)));
  },
};

/** Squared length of the first convolution's kernels. */
const firstKernels = (weight: number): Term<Options> => ({
  name: "first-layer",
  enters: "update",
  reads: [],
  weight,
  reduction: "none",
  of: ({ weights }) => {
    const kernels = Object.values(weights).find(({ shape }) => shape.length === 4)!;
    return reduceSum(square(kernels), [0, 1, 2, 3]);
  },
});

export const bagOfTricksFgsm = defineRecipe({
  name: "bag-of-tricks-fgsm",
  summary:
    "One step from the example with masked pixels and a light first layer; with smooth activations in the model.",
  source: "Li et al. 2022, Bag of Tricks for FGSM Adversarial Training",
  options: {
    mask: float({ default: 0.4, min: 0, max: 0.99, help: "share of the pixels that are hidden" }),
    maskPattern: choice(["random", "fixed", "grid"], {
      default: "random",
      help: "drawn for every example and step, one for the run, or regular",
    }),
    maskTarget: choice(["image", "gradient"], {
      default: "image",
      help: "whether the network is trained on the masked image, or only the step is found on it",
    }),
    firstLayer: float({ default: 0, min: 0, help: "weight of the squared length of the first convolution's kernels" }),
  },
  settings: { steps: 1, relativeStep: 1, start: "zero", attackMode: "train" },
  branches: () => ({ adversarial: masked }),
  terms: ({ firstLayer }) => [
    crossEntropyOf("adversarial", "both"),
    ...(firstLayer > 0 ? [firstKernels(firstLayer)] : []),
  ],
});
