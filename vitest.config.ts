import { defineConfig } from "vitest/config";
import { wgsl } from "./tools/vite_wgsl.mjs";

// Dawn lives in the process: one fork, no worker threads, one device.
export default defineConfig({
  plugins: [wgsl()],
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./tools/totals_reporter.mjs"],
    pool: "forks",
    isolate: false,
    maxWorkers: 1,
    css: true, // the report's style sheets are imported as text
    testTimeout: 300_000, // against tests that hang; none is meant to measure time
  },
});
