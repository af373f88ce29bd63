// node bench/run.mjs grad   loads bench/grad.bench.ts through Vite, which knows how to import .wgsl
// node bench/run.mjs        measures kernels and training steps, a process each
// node bench/run.mjs --against bench/results/grad.llvmpipe.json   measures what that file holds again, and compares
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { runnerImport } from "vite";
import { wgsl } from "../tools/vite_wgsl.mjs";

const ALL = ["kernels", "grad"];

const [first, file] = process.argv.slice(2);
const name = first === "--against" ? basename(file ?? "").split(".")[0] : first; // the benchmark that wrote it
if (!name) {
  const codes = ALL.map((each) => spawnSync(process.execPath, [import.meta.filename, each], { stdio: "inherit" }).status);
  process.exit(codes.every((code) => code === 0) ? 0 : 1);
}
await runnerImport(`./bench/${name}.bench.ts`, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });
