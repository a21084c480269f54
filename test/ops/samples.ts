import type { OpName } from "temper/ops";
import type { Sample } from "./sample.ts";
import { samplesA } from "./samples-a.ts";
import { samplesB } from "./samples-b.ts";

/** Every operator with the applications that the tests put through all checks. An operator without one does not compile. */
export const samples: Record<OpName, readonly Sample[]> = { ...samplesA, ...samplesB };
