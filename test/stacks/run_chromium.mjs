// npm run test:chromium [WORD...]   the tests in headless Chromium; only files whose path contains a WORD
import { createReadStream, existsSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import { runStack } from "./stack.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
// SwiftShader, Chromium's Vulkan driver on the CPU: the same everywhere. Background downloads are disabled.
const FLAGS = [
  "--no-sandbox", // root has no sandbox
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const OWN_SIGNALS = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false }; // runStack handles them

/** Chromium's program: $CHROMIUM, or the first of its names on the PATH. */
function findChromium() {
  const named = process.env.CHROMIUM;
  const candidates = named
    ? [named]
    : process.env.PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  if (named) throw new Error(`no Chromium at ${named}, which CHROMIUM names`);
  throw new Error(`no Chromium: none of ${NAMES.join(", ")} is on the PATH; install one or name it in CHROMIUM`);
}

/** Serves a folder's scripts and an empty page on a free port: WebGPU requires a secure context, which loopback is. */
async function serve(folder) {
  const server = createServer(({ url }, response) => {
    if (!/^\/[\w.-]+\.js$/.test(url)) return response.setHeader("content-type", "text/html").end("<!doctype html>");
    response.setHeader("content-type", "text/javascript");
    createReadStream(join(folder, url))
      .on("error", () => response.writeHead(404).end())
      .pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

await runStack((folder, bundle, say) => {
  const opened = [];
  const work = async () => {
    const server = await serve(folder);
    opened.push(() => server.close());
    const launch = chromium.launch({ executablePath: findChromium(), args: FLAGS, ...OWN_SIGNALS });
    opened.push(() =>
      launch.then(
        (browser) => browser.close(),
        () => {},
      ),
    ); // also removes its profile
    const browser = await launch;
    const page = await browser.newPage();
    const crashed = new Promise((_, reject) => {
      page.on("pageerror", ({ message }) => reject(new Error(`an error that no test waited for: ${message}`)));
      page.on("crash", () => reject(new Error("the page crashed")));
      browser.on("disconnected", () => reject(new Error("the browser ended")));
    });
    crashed.catch(() => {}); // closing the browser is no crash
    await page.exposeFunction("say", say);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const plan = { stack: `Chromium ${browser.version()}`, ...bundle };
    const run = page.evaluate(async (plan) => {
      const { run, totalsLine } = await import("/run.js");
      const totals = await run(plan, globalThis.say);
      await globalThis.say(totalsLine(totals));
      return totals.failed;
    }, plan);
    return Promise.race([run, crashed]);
  };
  return {
    done: work(),
    stop: async () => {
      for (const close of opened.reverse()) await close();
    },
  };
});
