import { lookup, TemperError } from "../core/index.ts";
import { type AnyModel, createModel, type ModelDefinition, type Standardization, type Task } from "./definition.ts";
import { coNet } from "./co-net.ts";
import { densenet } from "./densenet.ts";
import { lenet } from "./lenet.ts";
import { lstm } from "./lstm.ts";
import { mlp } from "./mlp.ts";
import { mobilenetV2 } from "./mobilenet.ts";
import { preactResnet18, resnet18 } from "./resnet.ts";
import { smallCnn } from "./small-cnn.ts";
import { unet } from "./unet.ts";
import { vgg } from "./vgg.ts";
import { vit } from "./vit.ts";
import { wideResnet } from "./wide-resnet.ts";

export * from "./definition.ts";
export { adapt, type Classifier, decodeClassifier, loadClassifier, type Normalization } from "./imported.ts";
export type { InputAdapter } from "./input-adapter.ts";
export { decodeTrainable, loadTrainable, type Trainable } from "./trainable.ts";

/** Every architecture by name. Command line, documentation and tests read this object. */
export const models = {
  mlp,
  "co-net": coNet,
  "small-cnn": smallCnn,
  lenet,
  "resnet-18": resnet18,
  "preact-resnet-18": preactResnet18,
  "wide-resnet": wideResnet,
  vgg,
  densenet,
  "mobilenet-v2": mobilenetV2,
  unet,
  vit,
  lstm,
} satisfies Record<string, AnyModel>;

/** Architecture and options that a name stands for, `wide-resnet-28-10` included. @throws TemperError `not-found` */
export const findModel = (
  name: string,
): { readonly type: AnyModel; readonly options: Readonly<Record<string, unknown>> } => {
  const known: Readonly<Record<string, AnyModel>> = models;
  if (Object.hasOwn(known, name)) return { type: known[name]!, options: {} };
  const family = Object.values(known).find((type) => type.variant && name.startsWith(`${type.name}-`));
  if (!family) return { type: lookup(known, name, "model"), options: {} };
  const options = family.variant!(name.slice(family.name.length + 1));
  if (!options)
    throw new TemperError(
      "not-found",
      `No model is called "${name}". ${family.name} continues as in ${family.variants}.`,
    );
  return { type: family, options };
};

/**
 * A network by name.
 *
 * @param given  options of the architecture; they add to those that the name stands for
 * @throws TemperError `not-found`, `bad-option`
 */
export const model = (
  name: string,
  task: Task & Standardization,
  given: Readonly<Record<string, unknown>> = {},
): ModelDefinition => {
  const { type, options } = findModel(name);
  return { ...createModel(type, task, { ...options, ...given }), name };
};
