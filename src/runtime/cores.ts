/** Else in a browser, where there is neither a disk nor anything else of Node's. */
export const inNode = typeof process !== "undefined" && process.versions?.node !== undefined;

/** What a browser has and Node's types do not know. */
export const page = globalThis as unknown as {
  readonly navigator: { readonly hardwareConcurrency: number; readonly userAgent: string; readonly gpu?: unknown };
  readonly crossOriginIsolated: boolean;
};

/**
 * Physical cores this process may use: hardware threads of one core share its arithmetic units, and matrix products
 * run slower with two of them. Where the system does not say, the number of logical processors.
 */
export const physicalCores = (): number => (cores ??= Math.max(1, countCores()));
let cores: number | undefined;

const countCores = (): number => {
  const logical = host().cores;
  if (!inNode) return logical;
  try {
    const info = process.getBuiltinModule("node:fs").readFileSync("/proc/cpuinfo", "latin1");
    const pairs = info.split("\n\n").flatMap((block) => {
      const id = (key: string): string | undefined => new RegExp(`^${key}\\s*:\\s*(\\d+)`, "m").exec(block)?.[1];
      return id("core id") === undefined ? [] : [`${id("physical id")}/${id("core id")}`];
    });
    return pairs.length > 0 ? Math.min(logical, new Set(pairs).size) : logical;
  } catch {
    return logical;
  }
};

/** What this runs on. */
export interface Host {
  readonly cpu: string;
  /** Logical processors. */
  readonly cores: number;
  readonly platform: string;
  /** Version of Node, or what the browser says of itself. */
  readonly node: string;
}
export const host = (): Host => (inNode ? nodeHost() : pageHost());

const nodeHost = (): Host => {
  const { availableParallelism, cpus } = process.getBuiltinModule("node:os");
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
  };
};
const pageHost = (): Host => ({
  cpu: "unknown",
  cores: page.navigator.hardwareConcurrency,
  platform: "browser",
  node: page.navigator.userAgent,
});
