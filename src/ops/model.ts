import { type Tensor, TemperError } from "../core/index.ts";
import { bind, constant, type Graph } from "../graph/index.ts";

/** A network from a file: its computation, its weights apart from it, and what the file says about itself. */
export interface Model {
  /** Inputs: those of the file in its order, then one a parameter, by the parameter's name. */
  readonly graph: Graph;
  /** Weights by name, in the order of the file; each is an input of the graph. */
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Version of the standard operators in the file. The graph itself holds opset-20 forms. */
  readonly opset: number;
  /** Versions of the other operator domains that the file uses; `toOnnx` wants them where such operators remain. */
  readonly domains: Readonly<Record<string, number>>;
  readonly producer: string;
  /** What the importer changed or could not do, in sentences for the user. */
  readonly notes: readonly string[];
}

/** Names of the data inputs: what is to be fed once the parameters are bound. */
export const dataInputs = ({ graph, parameters }: Pick<Model, "graph" | "parameters">): string[] =>
  graph.inputs.map((v) => v.node.name).filter((name) => !Object.hasOwn(parameters, name));

/**
 * The graph with the parameters as constants, ready to be compiled or attacked.
 *
 * @param parameters  other values for some of them (trained ones), of the same type and shape
 * @throws TemperError `bad-shape`: a value of another type or shape; `not-found`: a name that is no parameter
 */
export const bindParameters = (model: Model, parameters: Readonly<Record<string, Tensor>> = {}): Graph => {
  for (const name of Object.keys(parameters))
    if (!Object.hasOwn(model.parameters, name))
      throw new TemperError("not-found", `${model.graph.name} has no parameter "${name}".`);
  const values = Object.entries(model.parameters).map(([name, old]) => {
    const value = parameters[name] ?? old;
    if (value.dtype !== old.dtype || value.shape.join() !== old.shape.join())
      throw new TemperError(
        "bad-shape",
        `${model.graph.name}: parameter "${name}" is ${old.dtype}[${old.shape.join(", ")}], got ${value.dtype}[${value.shape.join(", ")}].`,
      );
    return [name, constant(value, name)] as const;
  });
  return bind(model.graph, Object.fromEntries(values));
};
