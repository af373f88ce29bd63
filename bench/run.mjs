// node bench/run.mjs grad   loads bench/training/grad.bench.ts through Vite, which can import .wgsl
// node bench/run.mjs        measures kernels and training steps, each in its own process
// node bench/run.mjs --against bench/results/grad.llvmpipe.json   measures the rows of that file again and compares
// node bench/run.mjs kernels --rows depthwise grid_sample   measures only rows with one of these in their names, and
// writes nothing
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { runnerImport } from "vite";
import { wgsl } from "../tools/build/vite_wgsl.mjs";

const ALL = ["kernels", "grad"];
const FOLDERS = { kernels: "kernels", metrics: "kernels", grad: "training", accuracy: "accuracy" };

const words = process.argv.slice(2);
const against = words.indexOf("--against");
const [first] = words;
// Default: the benchmark that wrote the file.
const name =
  first && !first.startsWith("--") ? first : against >= 0 ? basename(words[against + 1] ?? "").split(".")[0] : null;
if (!name) {
  const codes = ALL.map(
    (each) => spawnSync(process.execPath, [import.meta.filename, each, ...words], { stdio: "inherit" }).status,
  );
  process.exit(codes.every((code) => code === 0) ? 0 : 1);
}
const folder = FOLDERS[name];
if (!folder) throw new Error(`no benchmark ${name}; there are ${Object.keys(FOLDERS).join(", ")}`);
await runnerImport(`./bench/${folder}/${name}.bench.ts`, {
  configFile: false,
  logLevel: "warn",
  plugins: [wgsl()],
  oxc: { target: "es2022" },
});
