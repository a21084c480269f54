import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { TemperError } from "../core/index.ts";

/**
 * Makes sure, before the work begins, that its result can be written: the folder is made where it is missing.
 *
 * @returns the absolute path
 * @throws TemperError `bad-option`: the path is a folder, or its folder cannot be made or written to
 */
export const prepareFile = async (path: string): Promise<string> => {
  const file = resolve(path),
    folder = dirname(file);
  const refuse = (why: string, cause?: unknown): never => {
    throw new TemperError("bad-option", `${path} cannot be written: ${why}. Choose another file.`, { cause });
  };
  const existing = await stat(file).catch(() => undefined);
  if (existing?.isDirectory()) refuse("it is a folder");
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    refuse((error as Error).message, error);
  }
  return file;
};
