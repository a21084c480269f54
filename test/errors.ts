import { isTemperError, type TemperError } from "temper/core";

/** The typed error that something throws. @throws what else it throws, and where it throws nothing */
export const errorOf = (run: () => unknown): TemperError => {
  try {
    run();
  } catch (error) {
    if (isTemperError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

/** `code: message`. @throws as {@link errorOf} */
export const errorText = (run: () => unknown): string => {
  const { code, message } = errorOf(run);
  return `${code}: ${message}`;
};
