import { printable } from "../report/index.ts";

/** What a command may say. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  /** A line of the result; silent with --json. */
  readonly print: (text: string) => void;
  /** The one JSON document of --json, as a value or as text that is JSON; silent without. */
  readonly document: (value: object | string) => void;
  /** A remark beside the result. */
  readonly note: (text: string) => void;
  /** A task with a known amount of work: rate and remaining time on a terminal, sparse plain lines elsewhere. */
  readonly progress: (label: string, done: number, total: number, detail?: string) => void;
  /** Clears the progress line. */
  readonly settle: () => void;
}

const PLAIN_INTERVAL_MS = 5000;
const TERMINAL_INTERVAL_MS = 100;

/** Names and messages may come from files: nothing in them may steer the terminal. */
const plain = (text: string): string => printable(text).replaceAll("\r", "");

const duration = (s: number): string =>
  s < 90 ? `${Math.ceil(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;

/** `pgd: 512/10000 (83/s, 115 s left)`. Rate and rest come from what was done since the task was first heard of. */
export const progressText = (
  label: string,
  { done, total, first, seconds }: Readonly<Record<"done" | "total" | "first" | "seconds", number>>,
): string => {
  const rate = (done - first) / seconds;
  if (!(rate > 0) || !Number.isFinite(rate)) return `${label}: ${done}/${total}`;
  const left = done >= total ? "" : `, ${duration((total - done) / rate)} left`;
  return `${label}: ${done}/${total} (${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s${left})`;
};

export const createOutput = (json: boolean): Output => {
  const terminal = process.stderr.isTTY === true;
  let task = { label: "", began: 0, first: 0, shown: 0 },
    line = false;
  const settle = (): void => {
    if (line) process.stderr.write("\r\u001B[K");
    line = false;
  };
  const write = (stream: NodeJS.WriteStream, text: string): void => {
    settle();
    stream.write(`${text}\n`);
  };
  return {
    json,
    print: (text) => {
      if (!json) write(process.stdout, plain(text));
    },
    document: (value) => {
      if (json)
        write(process.stdout, typeof value === "string" ? value.trimEnd() : JSON.stringify(value, undefined, 2));
    },
    note: (text) => write(process.stderr, plain(text)),
    progress: (label, done, total, detail = "") => {
      const now = performance.now();
      if (label !== task.label) task = { label, began: now, first: done, shown: terminal ? 0 : now };
      const finished = done >= total;
      if (now - task.shown < (terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS) && !(finished && terminal)) return;
      task.shown = now;
      const text = plain(
        progressText(label, { done, total, first: task.first, seconds: (now - task.began) / 1000 }) +
          (detail && `  ${detail}`),
      );
      process.stderr.write(terminal ? `\r\u001B[K${text.slice(0, (process.stderr.columns || 120) - 1)}` : `${text}\n`);
      line = terminal;
    },
    settle,
  };
};
