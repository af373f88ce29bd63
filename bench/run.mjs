// node bench/run.mjs grad   loads bench/grad.bench.ts through Vite, which knows how to import .wgsl
// node bench/run.mjs        measures kernels and training steps, a process each
// node bench/run.mjs --against bench/results/grad.llvmpipe.json   measures what that file holds again, and compares
// node bench/run.mjs kernels --rows depthwise grid_sample   measures only rows with one of these in their names, and writes nothing
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { runnerImport } from "vite";
import { wgsl } from "../tools/vite_wgsl.mjs";

const ALL = ["kernels", "grad"];

const words = process.argv.slice(2);
const against = words.indexOf("--against");
const [first] = words;
// Without a name, that of the benchmark that wrote the file.
const name = first && !first.startsWith("--") ? first : against >= 0 ? basename(words[against + 1] ?? "").split(".")[0] : null;
if (!name) {
  const codes = ALL.map((each) => spawnSync(process.execPath, [import.meta.filename, each, ...words], { stdio: "inherit" }).status);
  process.exit(codes.every((code) => code === 0) ? 0 : 1);
}
await runnerImport(`./bench/${name}.bench.ts`, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });
