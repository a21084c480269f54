import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "temper";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { consumer } from "./consumer.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "temper-package-")),
  app = join(work, "app");
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
const run = (command: string, args: readonly string[], cwd: string): Promise<Done> =>
  new Promise((resolve) => {
    // What this checkout tells npm is not what a user's machine tells it.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^onnxruntime_/i.test(name)));
    execFile(command, args, { cwd, env, shell: process.platform === "win32" }, (error, stdout, stderr) =>
      resolve({ code: error ? (typeof error.code === "number" ? error.code : 1) : 0, stdout, stderr }),
    );
  });
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

it("the version in the code is the package's", () => expect(version).toBe(manifest.version));

describe("the packed package", () => {
  let files: readonly string[] = [];
  let installed: Done = { code: 1, stdout: "", stderr: "not installed" };
  beforeAll(async () => {
    // Packed as built: building again here would pull dist from under the tests that run beside this one.
    const packed = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", work], root);
    expect(packed.code, packed.stderr).toBe(0);
    const [{ filename, files: inside }] = JSON.parse(packed.stdout) as [
      { filename: string; files: { path: string }[] },
    ];
    files = inside.map(({ path }) => path);
    mkdirSync(app);
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
    installed = await run("npm", ["install", join(work, filename)], app);
  }, 240_000);

  /** Installing needs the registry; without a network there is nothing to test. */
  const needInstalled = (context: TestContext): void => {
    if (/ENOTFOUND registry|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT/.test(installed.stderr)) {
      console.log("skipped: the npm registry cannot be reached");
      context.skip();
    }
    expect(installed.code, installed.stderr).toBe(0);
  };

  it("holds the built code with types, the command, licence and README, and no sources or tests", () => {
    for (const wanted of [
      "dist/index.js",
      "dist/index.d.ts",
      "dist/runtime/worker.js",
      "bin/temper.js",
      "LICENSE",
      "README.md",
    ])
      expect(files).toContain(wanted);
    const top = new Set(files.map((path) => path.split("/")[0]));
    expect(top).toEqual(new Set(["LICENSE", "README.md", "bin", "dist", "package.json", "scripts"]));
    expect(files.filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))).toEqual([]);
    expect(files.filter((path) => path.startsWith("scripts/"))).toEqual(["scripts/preinstall.mjs"]);
  });

  it("installs into an empty folder, from the registry alone", (context) => {
    needInstalled(context);
    expect(readdirSync(join(app, "node_modules"))).toContain("temper");
  });

  it("its command runs", async (context) => {
    needInstalled(context);
    const { code, stdout, stderr } = await run("npx", ["--no-install", "temper", "list", "attacks"], app);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/apgd-ce/);
  });

  it("every folder is a subpath that loads", async (context) => {
    needInstalled(context);
    const folders = readdirSync(join(root, "src"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    const script = `for (const name of ${JSON.stringify(folders)}) await import("temper/" + name); console.log("loaded");`;
    const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", script], app);
    expect(stdout, stderr).toBe("loaded\n");
  });

  const settings = [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ] as const;
  it.for(settings)(
    "a strict consumer in TypeScript compiles and runs (module %s, resolution %s)",
    async (setting, context) => {
      needInstalled(context);
      const [module, moduleResolution] = setting;
      const source = join(app, `${moduleResolution}.ts`),
        out = join(app, moduleResolution);
      writeFileSync(source, consumer);
      const flags = [
        ...["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--verbatimModuleSyntax"],
        ...["--target", "es2022", "--lib", "es2023,esnext.disposable,dom", "--types", "", "--skipLibCheck", "false"],
        ...["--module", module, "--moduleResolution", moduleResolution, "--outDir", out, "--rootDir", app],
      ];
      const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
      const compiled = await run(process.execPath, [tsc, ...flags, source], app);
      expect(compiled.stdout + compiled.stderr).toBe("");
      const ran = await run(process.execPath, [join(out, `${moduleResolution}.js`)], app);
      expect(ran.stderr).toBe("");
      const found = JSON.parse(ran.stdout) as { exact: number[]; attacked: number; clean: number };
      expect(found.exact).toEqual([2, 4]); // d/dx of x² at 1 and 2
      expect(found.clean).toBeGreaterThan(found.attacked);
    },
  );

  it("the README's example compiles", async (context) => {
    needInstalled(context);
    const readme = readFileSync(join(root, "README.md"), "utf8");
    const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
    expect(examples.length).toBeGreaterThan(0);
    const source = join(app, "readme.ts"),
      tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    writeFileSync(source, examples.join("\n"));
    const flags = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--types", ""];
    const compiled = await run(process.execPath, [tsc, ...flags, source], app);
    expect(compiled.stdout + compiled.stderr).toBe("");
  });
});
