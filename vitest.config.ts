import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const slow = process.env["TEMPER_SLOW"] === "1";
const dist = fileURLToPath(new URL("./dist/", import.meta.url));

// Tests import the package as its users do (`temper/graph`), that is the built files: worker threads need them anyway.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^temper$/, replacement: `${dist}index.js` },
      { find: /^temper\/(.*)$/, replacement: `${dist}$1/index.js` },
    ],
  },
  test: {
    // Tests of minutes: `npm run test:slow`.
    include: [slow ? "test/slow/*.test.ts" : "test/!(slow)/**/*.test.ts", ...(slow ? [] : ["test/*.test.ts"])],
    pool: "forks",
    env: { TEMPER_CACHE: "off" }, // tests that keep something say where
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//, /\/node_modules\//] } },
  },
});
