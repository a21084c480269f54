import { type Graph, type Node, rewrite, type Value } from "../graph/index.ts";
import { add, clip, exp, log, mul, reduceMax, reduceSum, scalarLike, scale, sub } from "../ops/index.ts";

/** Large enough to make every normal float32 number a whole one. */
const HUGE = 3e38;

const sum = (values: readonly Value[]): Value => values.reduce((a, b) => add(a, b));

/** Operators that ONNX Runtime's WebGPU part lacks, in those that it has. Else a run would go by way of the CPU there. */
const WRITTEN: Readonly<Record<string, (inputs: readonly Value[], node: Node) => Value>> = {
  Sign: ([x]) => clip(mul(x!, scalarLike(x!, HUGE)), scalarLike(x!, -1), scalarLike(x!, 1)),
  Sum: (inputs) => sum(inputs),
  Mean: (inputs) => scale(sum(inputs), 1 / inputs.length),
  LogSoftmax: ([x], { attributes }) => {
    const axis = attributes["axis"] as number,
      shifted = sub(x!, reduceMax(x!, [axis], true));
    return sub(shifted, log(reduceSum(exp(shifted), [axis], true)));
  },
};

/** The last step of the lowering for WebGPU: float operators that it has, for those that it lacks. */
export const writtenForWebgpu = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => {
    const write = WRITTEN[node.op.name];
    return write && node.op.domain === "" && node.outputs[0]!.dtype === "float32"
      ? [write(inputs as readonly Value[], node)]
      : undefined;
  });
