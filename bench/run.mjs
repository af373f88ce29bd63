// node bench/run.mjs grad   loads bench/grad.bench.ts through Vite, which knows how to import .wgsl
import { runnerImport } from "vite";
import { wgsl } from "../tools/vite_wgsl.mjs";

const [name] = process.argv.slice(2);
if (!name) {
  console.error("usage: npm run bench -- NAME, for bench/NAME.bench.ts");
  process.exit(2);
}
await runnerImport(`./bench/${name}.bench.ts`, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });
