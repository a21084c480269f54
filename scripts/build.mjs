import { rmSync } from "node:fs";
import { ensureBuilt, ensureInstalled, root } from "./ensure.mjs";

ensureInstalled();
rmSync(`${root}dist`, { recursive: true, force: true });
ensureBuilt();
