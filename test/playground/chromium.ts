import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { build, preview } from "vite";

/** Chromium's program, if there is one. */
export const executablePath = [
  process.env["CHROMIUM"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));

// SwiftShader, Chromium's own Vulkan driver on the CPU: the same everywhere. Nothing of the browser's own is fetched.
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

/** A browser with WebGPU and a made-up camera, or one without WebGPU. */
export const launch = (webgpu = true): Promise<Browser> =>
  chromium.launch({
    executablePath: executablePath!,
    args: [...FLAGS, ...(webgpu ? [...WEBGPU, ...CAMERA] : ["--disable-blink-features=WebGPU", "--disable-gpu"])],
  });

/** The playground, built and served from a temporary folder. */
export async function servedSite(): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const outDir = await mkdtemp(join(tmpdir(), "bigrid-site-"));
  const configFile = "vite.site.config.ts";
  await build({ configFile, logLevel: "error", build: { outDir } });
  const server = await preview({
    configFile,
    logLevel: "error",
    build: { outDir },
    preview: { host: "127.0.0.1", port: 0 },
  });
  return {
    url: server.resolvedUrls!.local[0]!,
    close: async () => {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** Complaints of a page: errors on its console, exceptions, requests to anywhere but where it came from. */
export function complaintsOf(page: Page, url: string): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url()))
      complaints.push(`request to ${request.url()}`);
  });
  return complaints;
}

/** Moves the pointer over a roofline plot until it meets a point; the words that are then shown, or null. */
export async function wordsUnderPointer(page: Page, selector: string): Promise<string | null> {
  const [plot, tip] = [page.locator(`${selector} .u-over`).first(), page.locator(`${selector} .roofline-tip`).first()];
  await plot.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await plot.boundingBox())!;
  const step = 20; // pixels: points are found from a little further away
  for (let down = step / 2; down < height; down += step) {
    for (let along = step / 2; along < width; along += step) {
      await page.mouse.move(x + along, y + down);
      if (await tip.isVisible()) return tip.innerText();
    }
  }
  return null;
}
