import { version } from "../version.ts";
import { host, type Host, physicalCores } from "./cores.ts";
import { MIN_CHANNELS, type Winograd } from "./lower/index.ts";
import { onnxruntimeVersion } from "./ort.ts";
import { keptWinogradChoice } from "./probe.ts";

/** Where something was computed, and how: what results of measurements and of training record. */
export interface Machine extends Host {
  readonly threads: number;
  readonly onnxruntime: string;
  readonly temper: string;
  /** From so many channels on, convolutions of gradients used Winograd's algorithm; 0: none did. */
  readonly winogradChannels: number;
}

/** This machine. @param winograd  as the gradients were compiled */
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
