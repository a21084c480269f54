export { printable } from "./html.ts";
export * from "./json.ts";
export * from "./page.ts";
export * from "./schema.ts";
export * from "./text-table.ts";
export * from "./training.ts";
