/** Child processes of the benchmark: one request at a time, JSON lines both ways. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** Interpreter of bench/.venv. */
export const python = here(process.platform === "win32" ? ".venv/Scripts/python.exe" : ".venv/bin/python");
export const peerScript = here("peer.py");

/** How each kind of side is started. `NODE_PATH` lets the laboratory's scripts find ONNX Runtime. */
const KINDS = {
  peer: () => [python, [peerScript], {}],
  us: () => [process.execPath, [here("us.mjs")], {}],
  hand: () => [
    process.execPath,
    [here("hand.mjs")],
    { NODE_PATH: here("../node_modules"), ORT_DISABLE_TELEMETRY: "1" },
  ],
};

/**
 * Starts a side of a row.
 * @param kind  `us`, `peer` or `hand`
 * @returns `ask(request)` for the answer (an `error` in it is thrown), `cpuSeconds()` used so far (NaN where the system
 *   does not say), `close()`
 */
export const startChild = (kind) => {
  const [command, args, env] = KINDS[kind]();
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (data) => (complaint = (complaint + data).slice(-2000)));
  const waiting = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(JSON.parse(line)));
  const ended = new Promise((resolve) => {
    const finish = (why) => {
      for (const { reject } of waiting.splice(0)) reject(new Error(`${kind}: ${why}. ${complaint.trim()}`));
      resolve();
    };
    child.on("error", (error) => finish(error.message));
    child.on("exit", (code, signal) => finish(`process ended (${signal ?? code})`));
  });
  child.stdin.on("error", () => undefined); // reported by exit
  const ask = async (request) => {
    const answer = await new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (answer.error !== undefined) throw new Error(`${kind}: ${answer.error}`);
    return answer;
  };
  const close = async () => {
    child.stdin.write('{"cmd":"exit"}\n');
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(timer);
  };
  return { ask, close, cpuSeconds: () => cpuSeconds(child.pid) };
};

/** User and system time of a process, all threads; Linux only. @param ended  also that of its ended children */
export const cpuSeconds = (pid, ended = false) => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .split(") ")[1]
      .split(" ")
      .slice(11, ended ? 15 : 13);
    return fields.reduce((sum, ticks) => sum + Number(ticks) / 100, 0);
  } catch {
    return Number.NaN;
  }
};

/** Largest resident memory of a process so far; Linux only. */
const peakBytes = (pid) => {
  try {
    return 1024 * Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);
  } catch {
    return undefined;
  }
};

/**
 * Runs a command until its output matches; the process itself is waited for.
 * @param pattern  its named groups are figures that the process measured itself, in seconds; one called `seconds` is
 *   what the row is about, instead of the time until the match
 * @returns seconds and peak memory until the match, and the other figures
 */
const timeCommand = ([command, ...args], pattern) =>
  new Promise((resolve, reject) => {
    const start = performance.now();
    let output = "",
      complaint = "",
      first;
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (data) => {
      output += data;
      const found = first === undefined && pattern.exec(output);
      if (!found) return;
      const { seconds = (performance.now() - start) / 1000, ...figures } = Object.fromEntries(
        Object.entries(found.groups ?? {}).map(([name, text]) => [name, Number(text)]),
      );
      first = { seconds, figures, peakBytes: peakBytes(child.pid) };
    });
    child.stderr.on("data", (data) => (complaint = (complaint + data).slice(-1000)));
    child.on("error", reject);
    child.on("close", (code) => {
      if (first !== undefined) resolve(first);
      else reject(new Error(`${args.slice(0, 2).join(" ")} ended (${code}) without the expected output. ${complaint}`));
    });
  });

/** A side that is a whole process each time, with the face of {@link startChild}. */
export const startCommand = ({ command, pattern }, files) => {
  const words = {
    node: process.execPath,
    python,
    "{peer}": peerScript,
    "{model}": files.mnist,
    "{report}": files.report,
  };
  const line = command.map((word) => words[word] ?? word);
  let peak;
  const answers = {
    prepare: async () => ({}),
    run: async ({ iterations }) => {
      let seconds = 0,
        figures;
      for (let i = 0; i < iterations; i++) {
        const found = await timeCommand(line, new RegExp(pattern));
        seconds += found.seconds;
        peak = found.peakBytes;
        figures = found.figures;
      }
      return { seconds: seconds / iterations, figures };
    },
    memory: async () => ({ peakBytes: peak }),
  };
  return { ask: (request) => answers[request.cmd](request), close: async () => undefined, cpuSeconds: () => 0 };
};
