// node bench/peers/run.mjs   installs the peers if necessary and runs main.ts through Vite, which can import .wgsl
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { runnerImport } from "vite";
import { wgsl } from "../../tools/build/vite_wgsl.mjs";

if (!existsSync("bench/peers/node_modules"))
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: "bench/peers", stdio: "inherit" });
const { module } = await runnerImport("./bench/peers/main.ts", {
  configFile: false,
  logLevel: "warn",
  plugins: [wgsl()],
  oxc: { target: "es2022" },
});
process.exit(await module.main(process.argv.slice(2)));
