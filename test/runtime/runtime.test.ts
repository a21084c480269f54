import { monitorEventLoopDelay } from "node:perf_hooks";
import { f32, type Tensor, zeros } from "temper/core";
import { BATCH, float32, trace } from "temper/graph";
import { matmul, relu, scale, add } from "temper/ops";
import { compile, createEngine, createLocalRuntime, createPool } from "temper/runtime";
import { describe, expect, it } from "vitest";

const doubled = trace("doubled", { x: float32(BATCH, 3) }, ({ x }) => ({ y: scale(x, 2), z: relu(x) }));

describe("compile", () => {
  it("runs a graph at any batch size and fetches only what is asked", async () => {
    using program = await compile(doubled);
    const { y, z } = await program.run({ x: f32([1, -2, 3], [1, 3]) });
    expect(Array.from(y!.data as Float32Array)).toEqual([2, -4, 6]);
    expect(Array.from(z!.data as Float32Array)).toEqual([1, 0, 3]);
    const more = await program.run({ x: f32([1, 2, 3, 4, 5, 6], [2, 3]) }, ["y"]);
    expect(Object.keys(more)).toEqual(["y"]);
    expect(more["y"]!.shape).toEqual([2, 3]);
  });

  it("compiles a traced function", async () => {
    using program = await compile(({ x }) => add(x, x), { x: float32(2) });
    expect(Array.from((await program.run({ x: f32([1, 2]) }))["output"]!.data as Float32Array)).toEqual([2, 4]);
  });

  it("computes the same on the reference device, in float64", async () => {
    const graph = trace("third", { x: float32(BATCH, 2) }, ({ x }) => scale(x, 1 / 3));
    using fast = await compile(graph);
    using exact = await compile(graph, { device: "reference" });
    const feeds = { x: f32([1, 2], [1, 2]) };
    const [a, b] = [(await fast.run(feeds))["output"]!, (await exact.run(feeds))["output"]!];
    expect(a.dtype).toBe("float32");
    expect(b.dtype).toBe("float64");
    expect((a.data as Float32Array)[0]).toBeCloseTo((b.data as Float64Array)[0]!, 6);
  });

  it("names the input that does not fit", async () => {
    using program = await compile(doubled);
    await expect(program.run({ x: f32([1, 2], [1, 2]) })).rejects.toThrow(
      /Input "x" wants float32\[N, 3\], got float32\[1, 2\]/,
    );
    await expect(program.run({})).rejects.toThrow(/Input "x" is missing/);
    await expect(program.run({ x: f32([1, 2, 3], [1, 3]), q: f32([1]) })).rejects.toThrow(/There is no input "q"/);
    await expect(program.run({ x: zeros("float64", [1, 3]) })).rejects.toMatchObject({ code: "bad-shape" });
  });

  it("refuses use after dispose, and disposes twice without harm", async () => {
    const program = await compile(doubled);
    program.dispose();
    program.dispose();
    await expect(program.run({ x: f32([1, 2, 3], [1, 3]) })).rejects.toMatchObject({ code: "disposed" });
  });
});

describe("sessions", () => {
  it("are shared by equal graphs and freed with the last program", async () => {
    const pool = createPool(),
      runtime = createLocalRuntime(pool);
    const again = trace("other name", { x: float32(BATCH, 3) }, ({ x }) => ({ y: scale(x, 2), z: relu(x) }));
    const [a, b] = [await runtime.compile(doubled), await runtime.compile(again)];
    const c = await runtime.compile(trace("c", { x: float32(BATCH, 3) }, ({ x }) => ({ y: scale(x, 3), z: relu(x) })));
    expect(pool.size()).toBe(2);
    a.dispose();
    expect(pool.size()).toBe(2);
    b.dispose();
    c.dispose();
    await new Promise(setImmediate);
    expect(pool.size()).toBe(0);
  });

  it("survive concurrent compilation and disposal of one graph", async () => {
    await using engine = createEngine();
    const rounds = Array.from({ length: 20 }, async (_, i) => {
      using program = await engine.compile(doubled);
      const { y } = await program.run({ x: f32([i, i, i], [1, 3]) }, ["y"]);
      return (y!.data as Float32Array)[0];
    });
    expect(await Promise.all(rounds)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
  });
});

describe("the engine's thread", () => {
  it("keeps the caller's event loop free while a long run goes on", async () => {
    const size = 1500,
      big = (): Tensor => f32(new Float32Array(size * size).fill(1), [size, size]);
    using program = await compile(({ a, b }) => matmul(matmul(matmul(a, b), b), b), {
      a: float32(size, size),
      b: float32(size, size),
    });
    const feeds = { a: big(), b: big() };
    await program.run(feeds);
    const delays = monitorEventLoopDelay({ resolution: 1 });
    const running = Promise.all([program.run(feeds), program.run(feeds)]); // copies of the feeds are made here
    delays.enable();
    let ticks = 0,
      done = false;
    void running.finally(() => (done = true));
    for (; !done; ticks++) await new Promise((resolve) => setTimeout(resolve, 1));
    delays.disable();
    expect(ticks).toBeGreaterThan(10);
  });

  it("runs jobs beside the sessions, with progress and cancellation", async () => {
    await using engine = createEngine();
    const module = new URL("./job-fixture.mjs", import.meta.url);
    const seen: number[] = [],
      stop = new AbortController();
    const steps = await engine.job<{ limit: number }, number, number>(
      module,
      "countJob",
      { limit: 1e6 },
      {
        signal: stop.signal,
        onProgress: (at) => {
          seen.push(at);
          if (at === 5) stop.abort();
        },
      },
    );
    expect(seen.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(steps).toBeLessThan(1e6);
    await expect(engine.job(module, "failingJob", {})).rejects.toMatchObject({
      code: "bad-data",
      message: "on purpose",
    });
  });
});
