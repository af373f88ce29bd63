import { configDefaults, defineConfig } from "vitest/config";
import { wgsl } from "./tools/build/vite_wgsl.mjs";

// Left out by `--mode quick`: tests of whole processes, of pages in a browser, of the packed package, and of trainings
// from beginning to end. They take four fifths of the time.
const SLOW = [
  "test/cli/{command_line,compare,compare_page,efficientnet,faults,frames,full_disk,hostile_paths,inspect,predict,predict_watch,processes}.test.ts",
  "test/cli/{feedback,report,resume,serve_process,strange_classes,submission,texts,tiles}.test.ts",
  "test/{playground,site,torture}/**",
  "test/{examples,package}.test.ts",
  "test/docs/{commands,programs}.test.ts",
  "test/backbones/{efficientnet,resnet}.test.ts",
  "test/detection/{marked_cells,memory_estimate,region_training,training}.test.ts",
  "test/methods/{continuation,contract}.test.ts",
  "test/node/{genuine_weights,release}.test.ts",
  "test/onnx/{encode_onnx,magnetic_tile,python}.test.ts",
];

// Left out by `--mode minified`, in which the shaders are as in the one-file bundles: tests that change a shader's text.
const OF_TEXT = ["test/kernels/{barriers,subgroup_product}.test.ts"];

// Dawn lives in the process, so no worker threads. Each fork takes one file after the other and keeps its device, and
// with it what it has compiled. Two forks: while one waits, for the software adapter to compile or for a program that
// it has started, the other one goes on.
export default defineConfig(({ mode }) => ({
  plugins: [wgsl({ minify: mode === "minified" })],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(mode === "quick" ? SLOW : []), ...(mode === "minified" ? OF_TEXT : [])],
    reporters: ["default", "./tools/build/totals_reporter.mjs"],
    pool: "forks",
    isolate: false,
    maxWorkers: 2,
    css: true, // the report's style sheets are imported as text
    testTimeout: 300_000, // against tests that hang; none is meant to measure time
    hookTimeout: 300_000, // the same: on a busy machine a browser takes its time to begin
  },
}));
