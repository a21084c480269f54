export { main, runCommandLine } from "./main.ts";
export type { AnyCommand, Command } from "./command.ts";
export { commands } from "./commands.ts";
