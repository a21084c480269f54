/** Milliseconds that a call may take: long beside its overhead, short to whoever waits for an answer. */
const CALL_MS = 1000;
const MOST_STEPS = 64;
/** Bytes of what is laid side by side for a call. */
const CALL_BYTES = 16e6;

/** Steps for one call of a loop, when one takes so many milliseconds, and so many bytes that are laid side by side. */
export const callLength = (stepMs: number, stepBytes = 0): number =>
  Math.max(1, Math.floor(Math.min(MOST_STEPS, CALL_MS / stepMs, CALL_BYTES / stepBytes)));
