// `npm run temper -- ...` from a checkout: installs and builds what is missing, then runs the command.
import { ensureBuilt, ensureInstalled } from "./ensure.mjs";

ensureInstalled();
ensureBuilt();
await import("../bin/temper.js");
