import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { type Browser, chromium, type Page } from "playwright-core";
import { countOf, loadDataset } from "temper/data";
import { concatChunks, encodeModel } from "temper/onnx";
import { toOnnx } from "temper/ops";
import type { DeviceName } from "temper/runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { argmax, pixels, randomNetwork, runtime } from "../attack/networks.ts";
import { executablePath } from "../chromium.ts";
import { linearGraph, taskOf } from "../evaluate/linear.ts";
import { hasShared, shared } from "../shared.ts";
import { type Measured, measure, type Task } from "./measure.mjs";
import { bundleBytes, serve } from "./serve.ts";

if (executablePath === undefined)
  console.log("skipped: attacks in a browser (no Chromium found; name one in the environment variable CHROMIUM)");

type Given = Omit<Task, "device">;

const linear = (): Given => {
  const task = taskOf({ classes: 2, contrast: 0.06, count: 40 });
  const { pixels: images, labels, shape } = task.dataset;
  const model = concatChunks(encodeModel(toOnnx(linearGraph(task))));
  return { model, pixels: images as Float32Array, labels: Array.from(labels), shape, epsilon: 0.02 };
};
/** A convolutional network with random weights; its own predictions are the labels. */
const convolutional = async (): Promise<Given> => {
  const graph = randomNetwork(),
    images = pixels(24, 64, 5);
  using program = await runtime.compile(graph);
  const { logits } = await program.run({ input: { dtype: "float32", shape: [24, 1, 8, 8], data: images as never } });
  const labels = Array.from(argmax(logits!.data as Float32Array, 5));
  return { model: concatChunks(encodeModel(toOnnx(graph))), pixels: images, labels, shape: [1, 8, 8], epsilon: 0.25 };
};
const digits = async (): Promise<Given> => {
  const data = await loadDataset(shared("mnist"), { range: "0:32" });
  return {
    model: readFileSync(shared("models/kw_mnist_eps0.1.onnx")),
    pixels: Float32Array.from({ length: countOf(data) * 784 }, (_, i) => data.pixels[i]! / 255),
    labels: Array.from(data.labels),
    shape: [1, 28, 28],
    epsilon: 0.2,
  };
};

/** Runs in the page. */
const inPage = (page: Page, { model, pixels: images, ...rest }: Task): Promise<Measured> =>
  page.evaluate(
    async ([bytes, values, other]) => {
      const { measure: there } = globalThis as unknown as { measure: (task: unknown) => Promise<Measured> };
      return there({ ...other, model: Uint8Array.from(bytes), pixels: Float32Array.from(values) });
    },
    [Array.from(model), Array.from(images), rest] as const,
  );

/** Largest difference of gradients, relative to the largest entry. */
const distance = (a: readonly number[], b: readonly number[]): number => {
  const largest = b.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0) / largest;
};

describe.skipIf(executablePath === undefined)("in a browser", () => {
  let browser: Browser;
  const servers: Server[] = [];
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath!,
      args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
    });
  });
  afterAll(async () => {
    await browser?.close();
    for (const server of servers) server.close();
  });

  const open = async (isolated: boolean): Promise<Page> => {
    const { url, server } = await serve(isolated);
    servers.push(server);
    const page = await browser.newPage();
    page.on("pageerror", (error) => console.log(`page: ${error.message}`));
    await page.goto(url);
    await page.waitForFunction("globalThis.measure", undefined, { timeout: 10_000 });
    return page;
  };
  const same = async (page: Page, given: Given, device: DeviceName): Promise<Measured> => {
    const [there, here] = [await inPage(page, { ...given, device }), await measure({ ...given, device: "cpu" })];
    expect(there.gradient.length).toBe(here.gradient.length);
    expect(distance(there.gradient, here.gradient)).toBeLessThan(1e-4);
    expect(there.attacked).toEqual(here.attacked);
    expect(there.evaluation).toEqual(here.evaluation);
    expect(there.phases).toEqual(["clean", "attack"]);
    const broken = there.attacked["pgd"]!.broken.reduce((sum, b) => sum + b, 0);
    expect(broken, "some break").toBeGreaterThan(0);
    expect(broken, "some stand").toBeLessThan(there.evaluation.cleanAccuracy * given.labels.length);
    expect(there.machine.platform).toBe("browser");
    expect(there.machine.onnxruntime).toBe(here.machine.onnxruntime);
    expect(there.run.lanes).toBe(1);
    return there;
  };

  it("gives the verdicts and gradients of Node, with wasm and one thread", async () => {
    const page = await open(false);
    expect(await page.evaluate("crossOriginIsolated")).toBe(false);
    for (const given of [linear(), await convolutional()]) await same(page, given, "cpu");
  });

  it("does so with several threads, where the page is isolated", async () => {
    const page = await open(true);
    expect(await page.evaluate("crossOriginIsolated")).toBe(true);
    for (const given of [linear(), await convolutional(), ...(hasShared ? [await digits()] : [])])
      await same(page, given, "cpu");
  });

  it("does so on WebGPU", async (context) => {
    const page = await open(false);
    const adapter = await page.evaluate("navigator.gpu?.requestAdapter().then((found) => found !== null)");
    if (adapter !== true) {
      console.log("skipped: WebGPU in a browser (this Chromium gives no adapter)");
      return context.skip();
    }
    for (const given of [linear(), await convolutional()]) await same(page, given, "webgpu");
  });
});

it("takes at most 150 kB of a page, gzipped, beside ONNX Runtime", async () => {
  const bytes = await bundleBytes();
  expect(bytes).toBeGreaterThan(10e3);
  expect(bytes).toBeLessThan(150e3);
});
