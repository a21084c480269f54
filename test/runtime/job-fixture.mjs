import { TemperError } from "temper/core";

/** Counts until it is told to stop. */
export const countJob = async ({ report, cancelled }, { limit }) => {
  let at = 0;
  while (at < limit && !cancelled()) {
    report(++at);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return at;
};

export const failingJob = async () => {
  throw new TemperError("bad-data", "on purpose");
};
