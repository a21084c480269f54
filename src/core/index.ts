export * from "./error.ts";
export * from "./options.ts";
export * from "./random.ts";
export * from "./release.ts";
export * from "./tensor.ts";
export * from "./crc32.ts";
export * from "./hash.ts";
export * from "./chosen.ts";
