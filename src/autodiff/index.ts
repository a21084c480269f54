export * from "./custom.ts";
export * from "./vjp.ts";
