// npm run test:deno [WORD...] the tests on wgpu, the WebGPU of Firefox, in Deno; only files whose path contains a WORD
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runStack } from "./stack.mjs";

const require = createRequire(import.meta.url);
const { version } = JSON.parse(readFileSync(require.resolve("deno/package.json"), "utf8"));

await runStack((folder, bundle, say) => {
  const plan = JSON.stringify({ stack: `wgpu in Deno ${version}`, ...bundle });
  // The program itself, not the package's wrapper script, which would leave it running when ended.
  const deno = require("deno/install_api.cjs").runInstall();
  const options = [
    "--unstable-webgpu",
    "--no-config",
    "--no-remote",
    "--no-prompt",
    `--allow-read=${folder}`,
    "--allow-env",
  ];
  const child = spawn(deno, ["run", ...options, join(folder, "deno.js"), plan], {
    stdio: ["ignore", "pipe", "inherit"],
    // Vulkan's loader wants a folder for the session; Deno one for its caches, removed after the run.
    env: {
      XDG_RUNTIME_DIR: tmpdir(),
      ...process.env,
      DENO_DIR: join(folder, "deno"),
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
    },
  });
  createInterface({ input: child.stdout }).on("line", say);
  const closed = once(child, "close");
  return {
    done: closed.then(([code, signal]) => {
      if (signal) throw new Error(`Deno was ended by ${signal}`);
      return code;
    }),
    stop: async () => {
      child.kill("SIGKILL");
      await closed.catch(() => {}); // did not start
    },
  };
});
