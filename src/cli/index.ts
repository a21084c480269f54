export { main, runCommandLine, runOne } from "./main.ts";
export type { AnyCommand, Command } from "./command.ts";
export { commands } from "./commands.ts";
export { reproduceCommandOf } from "./reproduce.ts";
