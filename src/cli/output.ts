/** What a command may say. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  /** A line of the result; silent with --json. */
  readonly print: (text: string) => void;
  /** The JSON document of --json; silent without. */
  readonly document: (value: unknown) => void;
  /** A remark beside the result. */
  readonly note: (text: string) => void;
  /** A task with a known amount of work: rate and remaining time on a terminal, sparse plain lines elsewhere. */
  readonly progress: (label: string, done: number, total: number, detail?: string) => void;
  /** Clears the progress line. */
  readonly settle: () => void;
}

const PLAIN_INTERVAL_MS = 5000;
const TERMINAL_INTERVAL_MS = 100;

const seconds = (s: number): string => (s < 90 ? `${Math.ceil(s)} s` : `${Math.round(s / 60)} min`);

export const createOutput = (json: boolean): Output => {
  const terminal = process.stderr.isTTY === true;
  let label = "",
    began = 0,
    shown = 0,
    line = false;
  const settle = (): void => {
    if (line) process.stderr.write("\r\u001B[K");
    line = false;
  };
  return {
    json,
    print: (text) => {
      settle();
      if (!json) process.stdout.write(`${text}\n`);
    },
    document: (value) => {
      settle();
      if (json) process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    },
    note: (text) => {
      settle();
      process.stderr.write(`${text}\n`);
    },
    progress: (what, done, total, detail = "") => {
      const now = performance.now();
      if (what !== label) [label, began, shown] = [what, now, terminal ? 0 : now];
      const finished = done >= total;
      if (now - shown < (terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS) && !(finished && terminal)) return;
      shown = now;
      const rate = done / Math.max((now - began) / 1000, 1e-3);
      const left = finished ? "" : `, ${seconds((total - done) / Math.max(rate, 1e-9))} left`;
      const text = `${what}: ${done}/${total} (${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s${left})${detail && `  ${detail}`}`;
      process.stderr.write(terminal ? `\r\u001B[K${text.slice(0, (process.stderr.columns || 120) - 1)}` : `${text}\n`);
      line = terminal;
    },
    settle,
  };
};
