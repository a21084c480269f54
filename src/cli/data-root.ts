import { homedir } from "node:os";
import { join } from "node:path";

/** Folder of fetched data sets: TEMPER_DATA, else the user's cache. */
export const dataRoot = (): string =>
  process.env["TEMPER_DATA"] ??
  join(
    process.platform === "win32"
      ? (process.env["LOCALAPPDATA"] ?? homedir())
      : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache")),
    "temper",
    "data",
  );
