import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const folder = fileURLToPath(new URL("../../src/data/", import.meta.url));
const NEED_NODE = ["download-attempt.ts", "download.ts", "fetch.ts", "files.ts"];

it("loads in a browser: no module of Node is imported before a function that needs it runs", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".ts"))) {
    const text = readFileSync(folder + name, "utf8");
    const imports = [...text.matchAll(/^(?:import|export) (type )?[^;]*?from "(node:[^"]+)"/gms)];
    expect(
      imports.filter(([, isType]) => isType === undefined),
      name,
    ).toEqual([]);
    expect(/import\("node:/.test(text), name).toBe(NEED_NODE.includes(name));
    expect(/\b(Buffer|process|require)\b[.(]/.test(text), name).toBe(false);
  }
});
