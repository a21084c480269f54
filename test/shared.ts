import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../shared/data/", import.meta.url));

/** Whether the developers' data folder lies beside the checkout. Users do not have it: tests that need it skip. */
export const hasShared = existsSync(root);
if (!hasShared) console.log("skipped: tests on real models and data sets (no ../shared/data beside this checkout)");

/** Absolute path of a file in the developers' data folder. */
export const shared = (path: string): string => root + path;

/** Model files of a folder and the folders in it, as paths for {@link shared}; none where there is no data folder. */
export const sharedModels = (folder: string): string[] =>
  hasShared
    ? readdirSync(shared(folder), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.onnx(\.gz)?$/.test(file))
        .map((file) => `${folder}/${file}`)
        .sort()
    : [];
