import { homedir } from "node:os";
import { join } from "node:path";

/** The user's cache. */
const userCache = (): string =>
  join(
    process.platform === "win32"
      ? (process.env["LOCALAPPDATA"] ?? homedir())
      : (process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache")),
    "temper",
  );

/** Folder of fetched data sets: TEMPER_DATA, else the user's cache. */
export const dataRoot = (): string => process.env["TEMPER_DATA"] ?? join(userCache(), "data");

/** Folder of what the runtime keeps between runs: TEMPER_CACHE, else the user's cache; undefined where that is `off`. */
export const cacheRoot = (): string | undefined => {
  const wanted = process.env["TEMPER_CACHE"] ?? userCache();
  return wanted === "off" ? undefined : wanted;
};
