// Renders a report as a picture: node scripts/picture.mjs reports/demo-robust.html docs/report.png [width] [height]
// Uses the system's Chromium (CHROMIUM, or one of the usual places); only documentation needs it.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page = "reports/demo-robust.html", out = "docs/report.png", width = "1200", height = "1000"] =
  process.argv.slice(2);
const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = places.find((path) => path && existsSync(path));
if (!executablePath) {
  console.error("No Chromium found. Install one, or set CHROMIUM to its path.");
  process.exit(3);
}
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const view = await browser.newPage({
  viewport: { width: Number(width), height: Number(height) },
  colorScheme: "light",
});
await view.goto(pathToFileURL(resolve(page)).href);
await view.screenshot({ path: out });
await browser.close();
console.log(out);
