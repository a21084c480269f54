import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../../", import.meta.url));
const wasm = `${root}node_modules/onnxruntime-web/dist/`;

/** measure.mjs with the built package, as a bundler makes it for a page: file names and contents. */
const bundled = async (external: readonly RegExp[]): Promise<ReadonlyMap<string, string>> => {
  const bundle = await rolldown({
    input: { page: `${root}test/browser/measure.mjs` },
    platform: "browser",
    external: [/^node:/, ...external],
    logLevel: "silent",
    resolve: {
      alias: Object.fromEntries(
        ["attack", "core", "data", "evaluate", "models", "runtime"].map((name) => [
          `temper/${name}`,
          `${root}dist/${name}/index.js`,
        ]),
      ),
      // The bundler's own, and the one that lets onnxruntime-web load its wasm from beside the page.
      conditionNames: ["browser", "onnxruntime-web-use-extern-wasm", "import", "default"],
    },
  });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  return new Map(output.map((file) => [file.fileName, file.type === "chunk" ? file.code : String(file.source)]));
};

/** Bytes of the package's own code and its dependencies in a page, gzipped; without ONNX Runtime. */
export const bundleBytes = async (): Promise<number> =>
  [...(await bundled([/^#ort/])).values()].reduce((sum, code) => sum + gzipSync(code, { level: 9 }).length, 0);

const page = `<!doctype html><meta charset="utf-8"><title>Temper</title>
<script type="module">import { measure } from "/page.js"; globalThis.measure = measure;</script>`;
const TYPES: Readonly<Record<string, string>> = { ".wasm": "application/wasm", ".html": "text/html" };

/** A page with the bundle. @param isolated  with the headers that threads of wasm need */
export const serve = async (isolated: boolean): Promise<{ readonly url: string; readonly server: Server }> => {
  const headers = isolated
    ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
    : {};
  const files = new Map([...(await bundled([])), ["index.html", page]]);
  const server = createServer((request, response) => {
    const name = basename(new URL(request.url!, "http://localhost").pathname) || "index.html";
    const type = { "Content-Type": TYPES[extname(name)] ?? "text/javascript", ...headers };
    Promise.resolve(files.get(name) ?? readFile(wasm + name)).then(
      (body) => response.writeHead(200, type).end(body),
      () => response.writeHead(404, headers).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
};
