import { attackCommand } from "./attack.ts";
import type { AnyCommand } from "./command.ts";
import { dataCommand } from "./data.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { evaluateCommand } from "./evaluate.ts";
import { exportCommand } from "./export.ts";
import { inspectCommand } from "./inspect.ts";
import { listCommand } from "./list.ts";
import { reproduceCommand } from "./reproduce.ts";
import { trainCommand } from "./train.ts";

/** Every command by name, in the order of the overview. */
export const commands = {
  demo: demoCommand,
  evaluate: evaluateCommand,
  attack: attackCommand,
  train: trainCommand,
  reproduce: reproduceCommand,
  export: exportCommand,
  inspect: inspectCommand,
  data: dataCommand,
  list: listCommand,
  doctor: doctorCommand,
} as const satisfies Record<string, AnyCommand>;
