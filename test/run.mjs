// node test/run.mjs fuzz/main   runs test/fuzz/main.ts through Vite, which knows how to import .wgsl
import { runnerImport } from "vite";
import { wgsl } from "../tools/vite_wgsl.mjs";

const [name, ...args] = process.argv.slice(2);
const { module } = await runnerImport(`./test/${name}.ts`, { configFile: false, logLevel: "warn", plugins: [wgsl()], oxc: { target: "es2022" } });
process.exit(await module.main(args));
