#!/usr/bin/env node
// Must be set in the process before ONNX Runtime loads: see src/runtime/ort.ts.
process.env.ORT_DISABLE_TELEMETRY = "1";
const { main } = await import("../dist/cli/index.js");
await main(process.argv.slice(2));
