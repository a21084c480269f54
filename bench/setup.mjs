/**
 * Creates bench/.venv and installs the pinned Python packages that the benchmark compares Temper with.
 * `node bench/setup.mjs [--force]`; PYTHON names the interpreter (default python3, 3.10 or newer).
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { python } from "./child.mjs";

const venv = fileURLToPath(new URL(".venv", import.meta.url));
const requirements = fileURLToPath(new URL("requirements.txt", import.meta.url));

const run = (command, ...args) => {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (status === 0) return;
  console.error(
    `bench/setup: ${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ` (exit ${status})`}.`,
  );
  process.exit(3);
};

if (process.argv.includes("--force")) rmSync(venv, { recursive: true, force: true });
if (!existsSync(python)) run(process.env.PYTHON ?? "python3", "-m", "venv", venv);
run(python, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements);
run(python, "-c", "import torch, torchattacks, foolbox, art; print('bench peers ready: torch', torch.__version__)");
