import { blockSize, describeMachine, type Machine, type Winograd } from "../runtime/index.ts";

/** Where a run was computed: what its manifest records. */
export interface Environment extends Machine {
  /** Channels that convolutions take together on this processor; 0: the portable layout. */
  readonly block: number;
}

/** @param winograd  as the step was compiled */
export const describeEnvironment = async (winograd: Winograd): Promise<Environment> => ({
  ...describeMachine(undefined, winograd),
  block: await blockSize(),
});

/** What the bits of a result may follow from, in words. */
const DECISIVE = {
  cpu: "processor",
  platform: "platform",
  threads: "threads",
  block: "block of channels",
  winogradChannels: "channels for Winograd's convolutions",
  temper: "Temper",
  onnxruntime: "ONNX Runtime",
  node: "Node",
} as const satisfies Partial<Record<keyof Environment, string>>;

/** What to note about a run that goes on elsewhere than it came from; undefined where it does not. */
export const environmentNote = (before: Environment, now: Environment): string | undefined => {
  const changed = Object.entries(DECISIVE).flatMap(([key, word]) => {
    const [old, current] = [before, now].map((environment) => environment[key as keyof typeof DECISIVE]);
    return old === current ? [] : [`${word} ${current} (before: ${old})`];
  });
  if (changed.length === 0) return undefined;
  return `Resumed with ${changed.join(", ")}: the result may differ in its last digits from that of a run in one place.`;
};
