import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * Physical cores this process may use: hardware threads of one core share its arithmetic units, and matrix products
 * run slower with two of them. Where the system does not say, the number of logical processors.
 */
export const physicalCores = (): number => (cores ??= Math.max(1, countCores()));
let cores: number | undefined;

const countCores = (): number => {
  const logical = availableParallelism();
  try {
    const info = readFileSync("/proc/cpuinfo", "latin1");
    const pairs = info.split("\n\n").flatMap((block) => {
      const id = (key: string): string | undefined => new RegExp(`^${key}\\s*:\\s*(\\d+)`, "m").exec(block)?.[1];
      return id("core id") === undefined ? [] : [`${id("physical id")}/${id("core id")}`];
    });
    return pairs.length > 0 ? Math.min(logical, new Set(pairs).size) : logical;
  } catch {
    return logical;
  }
};
