// node bench/run.mjs grid_sample   loads a benchmark through Vite, which is what knows how to import .wgsl
import { runnerImport } from "vite";
import { wgsl } from "../tools/vite_wgsl.mjs";

await runnerImport(`./bench/${process.argv[2]}.ts`, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });
