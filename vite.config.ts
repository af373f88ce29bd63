import { defineConfig } from "vite";
import { protobufNotice } from "./tools/build/protobuf_notice.mjs";
import { wgsl } from "./tools/build/vite_wgsl.mjs";

// One ESM file for each way in; what they share becomes a chunk. Node's packages stay outside.
export default defineConfig({
  plugins: [wgsl()],
  build: {
    target: "es2022",
    sourcemap: true,
    minify: false,
    lib: {
      entry: {
        core: "src/core.ts",
        index: "src/index.ts",
        nn: "src/nn/index.ts",
        "methods/dfr": "src/methods/dfr/index.ts",
        "methods/grad": "src/methods/grad/index.ts",
        "methods/padim": "src/methods/padim/index.ts",
        "methods/patchcore": "src/methods/patchcore/index.ts",
        "methods/crad": "src/methods/crad/index.ts",
        "methods/simplenet": "src/methods/simplenet/index.ts",
        "methods/uniad": "src/methods/uniad/index.ts",
        "methods/riad": "src/methods/riad/index.ts",
        node: "src/node/index.ts",
        browser: "src/browser/index.ts",
        cli: "src/cli/child.ts",
        isa: "src/cli/isa/script.ts",
        bigrid: "src/cli/launcher.ts",
      },
      formats: ["es"],
    },
    rolldownOptions: {
      checks: { bundlerTimings: false }, // no remarks about the time that the wgsl plugin takes
      external: [
        /^node:/,
        "webgpu",
        "sharp",
        "commander",
        "cli-progress",
        "@huggingface/hub",
        "csv-stringify/sync",
        "tinyglobby",
        "@fastify/busboy",
      ],
      output: { postBanner: protobufNotice },
    },
  },
});
