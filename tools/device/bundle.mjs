// Bundles the programs of tools/device/measure.sh into dist-device or the folder named, so that they run with Node and the package webgpu
// alone: a machine with a GPU may have no registry, no compiler and no repository.
import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { build } from "vite";
import { wgsl } from "../build/vite_wgsl.mjs";

const OUT = process.argv[2] ?? "dist-device";
const PROGRAMS = {
  adapter: "bench/device/adapter.ts",
  correctness: "bench/device/correctness.ts",
  training: "bench/device/training.ts",
  summary: "bench/device/summary.ts",
  kernels: "bench/kernels/kernels.bench.ts",
  grad: "bench/training/grad.bench.ts",
};

await build({
  configFile: false,
  logLevel: "warn",
  plugins: [wgsl()],
  ssr: { noExternal: true, external: ["webgpu", "sharp"] },
  build: {
    ssr: true,
    outDir: OUT,
    target: "es2022",
    minify: false,
    rolldownOptions: { input: PROGRAMS, output: { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" } },
  },
});
copyFileSync("bench/device/torch_peer.py", `${OUT}/torch_peer.py`);
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
writeFileSync(`${OUT}/commit`, `${commit}\n`);
