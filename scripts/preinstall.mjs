// Runs when a package that depends on Temper is installed, after unpacking and before the install scripts of
// dependencies. On Linux x64, onnxruntime-node's own script would then fetch its CUDA part (hundreds of megabytes, from
// a host that is not the package registry) and fail the whole installation where that host cannot be reached. It does so
// only where the files are missing, so empty ones are put there: the CPU part, which is all that Temper needs, is in the
// package already. An explicit wish wins (ONNXRUNTIME_NODE_INSTALL=cuda12, also later, with npm rebuild onnxruntime-node),
// and an empty file counts as missing in `temper doctor`.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const wish = process.env.ONNXRUNTIME_NODE_INSTALL || process.env.npm_config_onnxruntime_node_install;

/** Names of the files that the other script looks for on this platform, as its own list says. */
const wanted = (require, folder) => {
  const { requirements, manifests } = require(join(folder, "script", "install-metadata.js"));
  const platform = `${process.platform}/${process.arch}`;
  return (requirements[platform] ?? []).flatMap((name) => Object.keys(manifests[`${platform}:${name}`] ?? {}));
};

const fill = () => {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve("onnxruntime-node/package.json");
  const folder = dirname(manifest);
  if (!JSON.parse(readFileSync(manifest, "utf8")).scripts?.postinstall) return;
  const binaries = join(folder, "bin", "napi-v6", process.platform, process.arch);
  for (const name of wanted(require, folder)) {
    const file = join(binaries, name);
    if (existsSync(binaries) && !existsSync(file)) writeFileSync(file, "");
  }
};

if (!wish)
  try {
    fill();
  } catch {
    // Another layout of that package, or none yet: its own script then does what it does.
  }
