import {
  host,
  keptWinogradChoice,
  MIN_CHANNELS,
  onnxruntimeVersion,
  physicalCores,
  type Winograd,
} from "../runtime/index.ts";
import { version } from "../version.ts";
import type { Machine } from "./result.ts";

/** Where a measurement was made, and how. @param winograd  as the gradients were compiled */
export const describeMachine = (threads: number = physicalCores(), winograd: Winograd = true): Machine => ({
  ...host(),
  threads,
  onnxruntime: onnxruntimeVersion(),
  temper: version,
  winogradChannels: winogradChannels(winograd),
});

const winogradChannels = (winograd: Winograd): number => {
  if (winograd === false) return 0;
  // Where nothing is kept, no graph asked for the choice, or it could not be kept: then it is the default.
  return winograd === true ? (keptWinogradChoice()?.minChannels ?? MIN_CHANNELS) : winograd.minChannels;
};
