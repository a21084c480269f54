import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src/", import.meta.url));

/** The folder order is the architecture: a folder imports only from layers above it in this list. */
const LAYERS = [
  ["core"],
  ["onnx", "data"],
  ["graph"],
  ["ops"],
  ["autodiff"],
  ["runtime"],
  ["solve", "loss", "threat"],
  ["nn"],
  ["models"],
  ["attack", "certify", "corrupt", "optim", "sparse", "distributed"],
  ["train"],
  ["evaluate"],
  ["report"],
  ["reproduce"],
  ["cli"],
];
const layerOf = (folder: string): number => LAYERS.findIndex((names) => names.includes(folder));

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const importsOf = (file: string): string[] =>
  [...readFileSync(join(src, file), "utf8").matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);

describe("architecture", () => {
  const folders = readdirSync(src, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

  it.each(folders)("%s is a known layer with an index and a README of at most 40 lines", (folder) => {
    expect(layerOf(folder)).toBeGreaterThanOrEqual(0);
    expect(existsSync(join(src, folder, "index.ts"))).toBe(true);
    expect(existsSync(join(src, folder, "README.md"))).toBe(true);
    expect(readFileSync(join(src, folder, "README.md"), "utf8").split("\n").length).toBeLessThanOrEqual(41);
  });

  it("folders import only downward, and only each other's index", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const folder = file.split(/[/\\]/)[0]!;
      if (folder.endsWith(".ts")) continue; // the public entry sees everything
      for (const target of importsOf(file).filter((path) => path.startsWith("."))) {
        const path = relative(src, join(src, dirname(file), target)).replaceAll("\\", "/"),
          [other, ...rest] = path.split("/");
        if (other === folder || path === "version.ts") continue;
        if (layerOf(other!) >= layerOf(folder) || rest.join("/") !== "index.ts") wrong.push(`${file} imports ${path}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("only the runtime knows ONNX Runtime", () => {
    const users = files.filter((file) =>
      importsOf(file).some((path) => path === "#ort" || path.startsWith("onnxruntime")),
    );
    expect([...new Set(users.map((file) => file.split(/[/\\]/)[0]))]).toEqual(["runtime"]);
  });

  it("nothing below the command line prints or reads the environment", () => {
    // ort.ts sets the one variable that keeps ONNX Runtime from calling home.
    const wrong = files.filter(
      (file) =>
        !/^cli[/\\]/.test(file) &&
        !file.endsWith("ort.ts") &&
        /console\.|process\.(env|stdout|stderr|argv)/.test(readFileSync(join(src, file), "utf8")),
    );
    expect(wrong).toEqual([]);
  });
});
