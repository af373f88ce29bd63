// Builds files for pages without a bundler: dist/core.min.js (kernels, tape, optimisers) and dist/bigrid.min.js
// (everything for browsers), which loads methods and the export to ONNX from dist/bigrid.min/ when they are asked for.
// Runs after `vite build` in `npm run build`. Also makes the command executable, as npx in the repository requires.
import { chmodSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "vite";
import { protobufNotice } from "./protobuf_notice.mjs";
import { wgsl } from "./vite_wgsl.mjs";

const BUNDLES = { "core.min": "src/core.ts", "bigrid.min": "src/browser/index.ts" };

/** Methods, what some of them need, layouts of datasets, and what ONNX needs. */
const LATER =
  /\/(src\/(linalg|onnx|methods\/(?!parts\/)\w+)\/|src\/nn\/attention\.ts$|src\/data\/layouts\/(?!layout\.ts)|@bufbuild\/|\w+\/(conv_transpose2d|random_sets)\.)/;
const METHOD = /\/methods\/(\w+)\/method\.ts$/;

/** Leaves out what command-line help prints of option tables: no page does, and they are over a hundredth of a file. */
const withoutHelp = {
  name: "without-help",
  enforce: "pre",
  transform: (code, id) =>
    /options\.ts$/.test(id)
      ? { code: code.replace(/(help|defaultText):\s*"(?:[^"\\]|\\.)*"/g, `$1: ""`), map: null }
      : null,
};

/** Puts shaders next to each other, which packs 2 kB smaller: a bundle has modules in the order of their first imports. */
const shadersFirst = (entry) => ({
  name: "shaders-first",
  enforce: "pre",
  transform: (code, id) => (id === resolve(entry) ? { code: `${SHADERS.join("")}${code}`, map: null } : null),
});

const SHADERS = readdirSync("shaders", { recursive: true })
  .map((name) => resolve("shaders", name))
  .filter((path) => path.endsWith(".wgsl") && !LATER.test(path))
  .sort()
  .map((path) => `import ${JSON.stringify(path)};`);

for (const [fileName, entry] of Object.entries(BUNDLES)) {
  await build({
    configFile: false,
    logLevel: "warn",
    plugins: [withoutHelp, shadersFirst(entry), wgsl({ minify: true })],
    build: {
      target: "es2022",
      emptyOutDir: false,
      minify: true,
      lib: { entry, formats: ["es"], fileName },
      rolldownOptions: {
        checks: { bundlerTimings: false },
        preserveEntrySignatures: "allow-extension",
        output: {
          minify: true,
          chunkFileNames: ({ facadeModuleId }) => `${fileName}/${METHOD.exec(facadeModuleId)?.[1] ?? "[name]"}.js`,
          codeSplitting: { groups: [{ name: "shared", test: (id) => !LATER.test(id) }] },
          postBanner: protobufNotice,
        },
      },
    },
  });
}

chmodSync("dist/bigrid.js", 0o755);
