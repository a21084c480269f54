/**
 * `node bench/overhead.mjs [rounds]`: what the engine's worker costs small networks. PGD-20 on the MNIST network in the
 * worker against the same loop in this thread; bar: within 5 %. Needs the peer once, which writes the network.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const run = fileURLToPath(new URL("run.mjs", import.meta.url));
const { status } = spawnSync(process.execPath, [run, "--only", "messages-", "--rounds", process.argv[2] ?? "15"], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
