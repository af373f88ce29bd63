// node test/harness/run.mjs fuzz/main   runs test/fuzz/main.ts through Vite, which can import .wgsl
import { createServer } from "vite";
import { wgsl } from "../../tools/build/vite_wgsl.mjs";

const [name, ...args] = process.argv.slice(2);
// Not runnerImport, which stops importing once the module is loaded, so that later dynamic imports would fail.
const server = await createServer({
  configFile: false,
  logLevel: "warn",
  plugins: [wgsl()],
  oxc: { target: "es2022" },
  optimizeDeps: { noDiscovery: true },
  server: { middlewareMode: true, ws: false, watch: null },
});
const { main } = await server.environments.ssr.runner.import(`./test/${name}.ts`);
process.exit(await main(args));
