/** The child's end of the protocol (see child.mjs), for sides that run in Node. */
import { createInterface } from "node:readline";

/**
 * Answers requests until `exit` or the end of the input.
 *
 * @param tasks  by name: `(task, threads) => { facts, run, figures?, probe?, compare?, profile? }`, perhaps as a promise;
 *   in place of `run` a task may have `timed`, which does its work once and gives seconds and figures itself
 */
export const serve = async (tasks) => {
  let state;
  const commands = {
    prepare: async ({ task, threads }) => {
      const make = tasks[task.task];
      if (!make) throw new Error(`There is no task ${task.task}. Known: ${Object.keys(tasks).join(", ")}.`);
      const start = performance.now();
      state = await make(task, threads);
      return { ...state.facts, prepareSeconds: (performance.now() - start) / 1000 };
    },
    run: async ({ iterations }) => {
      if (state.timed) return state.timed();
      const start = performance.now();
      let done = 0;
      while (done < iterations) {
        const many = await state.run(); // a run may do several at once, and says so
        done += typeof many === "number" ? many : 1;
      }
      return { seconds: (performance.now() - start) / 1000 / done, figures: state.figures?.() };
    },
    probe: () => state.probe(),
    compare: () => state.compare(),
    profile: () => {
      if (state.profile) return state.profile();
      throw new Error("This task has no one graph to profile.");
    },
    memory: () => ({ peakBytes: process.resourceUsage().maxRSS * 1024 }),
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    if (request.cmd === "exit") break;
    const answer = await Promise.resolve()
      .then(() => commands[request.cmd](request))
      .catch((error) => ({ error: error.message }));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  process.exit(0);
};
