import { defineConfig } from "vitest/config";
import { wgsl } from "./tools/build/vite_wgsl.mjs";

// Dawn lives in the process, so no worker threads. Each fork takes one file after the other and keeps its device, and
// with it what it has compiled. Two forks: while one waits, for the software adapter to compile or for a program that
// it has started, the other one goes on.
export default defineConfig({
  plugins: [wgsl()],
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", "./tools/totals_reporter.mjs"],
    pool: "forks",
    isolate: false,
    maxWorkers: 2,
    css: true, // the report's style sheets are imported as text
    testTimeout: 300_000, // against tests that hang; none is meant to measure time
    hookTimeout: 300_000, // the same: on a busy machine a browser takes its time to begin
  },
});
