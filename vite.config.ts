import { defineConfig } from "vite";
import { wgsl } from "./tools/vite_wgsl.mjs";

const PROTOBUF_NOTICE =
  "/*! Contains @bufbuild/protobuf: Copyright Buf Technologies, Inc., Apache-2.0, http://www.apache.org/licenses/LICENSE-2.0; and parts of Google's protobuf, BSD-3-Clause. */";

// One ESM file for each way in; what they share becomes a chunk. Node's packages stay outside.
export default defineConfig({
  plugins: [wgsl()],
  build: {
    target: "es2022",
    sourcemap: true,
    minify: false,
    lib: {
      entry: { core: "src/core.ts", index: "src/index.ts", node: "src/node/index.ts", browser: "src/browser/index.ts", cli: "src/cli/main.ts", bigrid: "src/cli/launcher.ts" },
      formats: ["es"],
    },
    rolldownOptions: {
      external: [/^node:/, "webgpu", "sharp", "commander", "cli-progress", "@huggingface/hub"],
      // Its licence goes where its code goes: the bundler drops the comments that say so.
      output: { banner: ({ moduleIds }) => (moduleIds.some((id) => id.includes("@bufbuild/protobuf")) ? PROTOBUF_NOTICE : "") },
    },
  },
});
