import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const onPath = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)));
const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/opt/google/chrome/chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];
/** The system's Chromium, or what the environment variable CHROMIUM names; undefined where there is none. */
export const executablePath = [process.env["CHROMIUM"] ?? "", ...onPath, ...usual].find(
  (path) => path !== "" && existsSync(path),
);
