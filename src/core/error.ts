/** What went wrong, as a stable word that programs may branch on. */
export type ErrorCode =
  | "bad-option" // an option has a wrong type, value or name
  | "bad-shape" // shapes or dtypes do not fit together
  | "bad-file" // a file is malformed, truncated or contradicts itself
  | "bad-data" // values that came in cannot be used (labels, ranges, counts)
  | "bad-graph" // a graph breaks one of its invariants
  | "not-found" // a name, file or node does not exist
  | "no-rule" // an operator lacks the rule that was asked of it
  | "unsupported" // a known thing that this build or device cannot do
  | "disposed" // used after dispose()
  | "nonfinite" // a computation produced NaN or infinity where a number is needed
  | "device" // the runtime refused or failed
  | "network" // a download failed
  | "interrupted"; // stopped by the user

/** The one error class: `code` is stable, `message` says who, what was expected, what came and what to do. */
export class TemperError extends Error {
  override readonly name = "TemperError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** True for errors that Temper raised on purpose. Works across threads, where the class identity is lost. */
export const isTemperError = (error: unknown): error is TemperError =>
  error instanceof Error && error.name === "TemperError" && "code" in error;

/** An error as data, for the way between threads. */
export interface WireError {
  readonly code: string | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}
export const toWire = (error: unknown): WireError => ({
  code: isTemperError(error) ? error.code : undefined,
  message: error instanceof Error ? error.message : String(error),
  stack: error instanceof Error ? error.stack : undefined,
});
export const fromWire = ({ code, message, stack }: WireError): Error => {
  const error = code ? new TemperError(code as TemperError["code"], message) : new Error(message);
  if (stack) error.stack = stack;
  return error;
};

const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
};

/** The entry of `known` nearest to `name` in edit distance, or undefined where none is near. */
export const nearest = (name: string, known: readonly string[]): string | undefined => {
  const limit = Math.max(2, Math.floor(name.length / 3));
  const scored = known.map((word) => ({
    word,
    d: word.startsWith(name) ? 1 : distance(name.toLowerCase(), word.toLowerCase()),
  }));
  const best = scored.sort((a, b) => a.d - b.d)[0];
  return best && best.d <= limit ? best.word : undefined;
};

/** Looks `name` up in a registry. @throws TemperError `not-found`, naming the nearest entry and all entries. */
export const lookup = <T>(registry: Readonly<Record<string, T>>, name: string, kind: string): T => {
  if (Object.hasOwn(registry, name)) return registry[name]!;
  const known = Object.keys(registry);
  const near = nearest(name, known);
  const hint = near ? ` Did you mean ${near}?` : "";
  throw new TemperError("not-found", `No ${kind} is called "${name}".${hint} Known: ${known.join(", ")}.`);
};
