// Every file of examples/, run as its first line says, against the built package.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";
import type { Inspection } from "../src/models/detector.ts";
import { saveDetector } from "../src/node/detector_file.ts";
import { encodePng } from "../src/node/images.ts";
import { writeSyntheticSet } from "../src/node/synthetic.ts";
import { device } from "./device.ts";
import { madeUpDetector, madeUpPicture } from "./made_up_detector.ts";
import { temporaryFolder } from "./temporary.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 10, good: 3, defective: 3, seed: 4 });

async function outputOf(example: string, ...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join("examples", example), ...words]);
  return stdout;
}

test("each example has a test below", () => {
  expect(readdirSync("examples").sort()).toEqual(["browser.html", "evaluate.mjs", "kernel.mjs", "train_and_inspect.mjs", "training_loop.mjs"]);
});

test("a kernel and its gradients", async () => {
  const output = await outputOf("kernel.mjs");
  for (const line of ["the middle Float32Array(1) [ 2.5 ]", "[ 0.25, 0.25, 0.25, 0.25 ]", "d sample / d grid Float32Array(2) [ 1, 2 ]"]) expect(output).toContain(line);
});

test("a training loop of one's own learns the blur", async () => {
  const output = await outputOf("training_loop.mjs");
  const losses = [...output.matchAll(/loss (\S+)/g)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(5);
  expect(losses.at(-1)! < losses[0]! / 1000).toBe(true);
  const filter = output.slice(output.indexOf("[")).match(/\d+\.\d+/g)!.map(Number);
  expect(filter[4]).toBeCloseTo(0.522 ** 2, 2);
});

test("a detector is trained, inspects, is saved, exported and evaluated", async () => {
  await mkdir(at("run"));
  const images = ["good", "scratch"].map((defect) => at("set", "weave", "test", defect, "000.png"));
  const trained = await outputOf("train_and_inspect.mjs", at("set", "weave"), at("run"), ...images);
  expect(trained).toContain("read as MVTec AD");
  expect(trained).toMatch(/normal epoch \d+ loss/);
  for (const image of images) expect(trained).toMatch(new RegExp(`${image} (good|defective) [01]\\.\\d+`));
  expect(readdirSync(at("run")).sort()).toEqual(["model.onnx", "model.safetensors"]);
  const evaluated = await outputOf("evaluate.mjs", at("run"), at("set", "weave"));
  expect(evaluated).toMatch(/^weave \{ imageAuroc: .*\nmean \{ imageAuroc: [01].*pixelAuroc: [01].*\}\n$/);
});

/** Serves the repository's folder: WebGPU is for secure contexts, of which loopback is one. */
async function served(): Promise<{ readonly url: string; readonly close: () => void }> {
  const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };
  const server = createServer(({ url = "/" }, response) => {
    const type = types[extname(url)];
    if (!type) return response.writeHead(404).end();
    response.setHeader("content-type", type);
    createReadStream(join(".", url)).on("error", () => response.writeHead(404).end()).pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

test.skipIf(executablePath === undefined)("a page inspects photographs with a run's model, as Node does", async () => {
  const detector = await madeUpDetector(device, 64, { decoder: "tiny" });
  await saveDetector(detector, folder);
  const picture = madeUpPicture(64, 1);
  await writeFile(at("photo.png"), await encodePng(picture.data, 64, 64));
  const [{ calibrated }] = (await detector.inspect([picture])) as [Inspection];
  const server = await served();
  const browser = await chromium.launch({ executablePath: executablePath!, args: FLAGS });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}/examples/browser.html`);
    await page.setInputFiles("#model", at("model.safetensors"));
    await page.setInputFiles("#photographs", at("photo.png"));
    await page.waitForFunction(() => document.querySelector("#verdicts li, #problem:not(:empty)"), null, { timeout: 0 });
    expect(await page.textContent("#problem")).toBe("");
    expect(await page.textContent("#verdicts")).toBe(`photo.png: defective (${calibrated.toFixed(3)})`);
  } finally {
    await browser.close();
    server.close();
  }
});
