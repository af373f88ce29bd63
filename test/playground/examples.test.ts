import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { build } from "vite";
import { afterAll, describe, expect, test } from "vitest";
import type { Inspection } from "../../src/detection/inspection.ts";
import { METHOD_NAMES } from "../../src/methods/registry.ts";
import { saveDetector } from "../../src/node/detector_file.ts";
import { encodePng } from "../../src/node/images.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { serveFolder } from "../harness/static_server.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { blocksOf } from "../docs/pages.ts";
import { complaintsOf, executablePath, launch } from "./chromium.ts";
import { inputsOf } from "../harness/inputs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

describe("bundles for pages", () => {
  const KILOBYTE = 1000;
  const sizeOf = async (path: string) => gzipSync(await readFile(join(ROOT, "dist", path))).length;
  /** Addresses that a file imports: at once, or where it needs them. */
  const importsOf = async (path: string, when: "at once" | "later") => {
    const code = await readFile(join(ROOT, "dist", path), "utf8");
    const pattern = when === "at once" ? /\b(?:from|import)\s*["']([^"']+)|require\(/g : /\bimport\(\s*["'`]([^"'`]+)/g;
    return [...code.matchAll(pattern)].map(([all, address]) => address ?? all);
  };

  test("core.min.js is one file of at most 60 kB gzipped, and imports nothing", async () => {
    expect(await sizeOf("core.min.js")).toBeLessThanOrEqual(60 * KILOBYTE);
    for (const when of ["at once", "later"] as const) expect(await importsOf("core.min.js", when)).toEqual([]);
  });

  test("bigrid.min.js is one file, and loads a method's, ONNX's or that of dataset layouts when it is used: at most 130 kB gzipped together", async () => {
    const base = await sizeOf("bigrid.min.js");
    expect(await importsOf("bigrid.min.js", "at once")).toEqual([]);
    const parts = [...METHOD_NAMES, "encode_onnx", "recognise"].map((name) => `./bigrid.min/${name}.js`);
    expect((await importsOf("bigrid.min.js", "later")).sort()).toEqual([...parts].sort());
    for (const part of parts) {
      expect(await importsOf(part, "at once")).toEqual(["../bigrid.min.js"]);
      expect(base + (await sizeOf(part)), part).toBeLessThanOrEqual(130 * KILOBYTE);
    }
  });
});

const suite = executablePath === undefined ? "examples in a browser (skipped: no Chromium)" : "examples in a browser";
describe.skipIf(executablePath === undefined)(suite, () => {
  const servers: { close: () => void }[] = [];
  afterAll(() => servers.forEach((server) => server.close()));

  /** The address of a folder that is served. */
  async function serve(folder: string): Promise<string> {
    const { url, server } = await serveFolder(folder);
    servers.push(server);
    return url.replace(/\/$/, "");
  }

  async function statusOf(
    address: string,
    isThere: RegExp,
    act: (page: Page) => Promise<void> = () => Promise.resolve(),
  ): Promise<string> {
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const complaints = complaintsOf(page, new URL(address).origin);
      await page.goto(address);
      await act(page);
      await page.waitForFunction(
        (source) => new RegExp(source).test(document.getElementById("status")!.textContent),
        isThere.source,
      );
      expect(complaints.filter((text) => !text.includes("favicon") && !text.includes("404"))).toEqual([]);
      return (await page.textContent("#status"))!;
    } finally {
      await browser.close();
    }
  }

  test("a page with one script tag finds its device", async () => {
    const address = await serve(ROOT);
    expect(await statusOf(`${address}/examples/page/index.html`, /^(Ready,|this |no )/)).toMatch(/^Ready, on /);
  });

  test("a page inspects photographs with a run's model, as Node does", async () => {
    const folder = await temporaryFolder();
    const detector = await madeUpDetector(device, 64, { decoder: "tiny" });
    const picture = madeUpPicture(64, 1);
    const [{ calibrated }] = (await detector.inspect(inputsOf([picture]))) as [Inspection];
    await saveDetector(detector, folder);
    await writeFile(join(folder, "photo.png"), await encodePng(picture.data, 64, 64));
    const choose = async (page: Page): Promise<void> => {
      await page.setInputFiles("#model", join(folder, "model.safetensors"));
      await page.setInputFiles("#photographs", join(folder, "photo.png"));
    };
    const status = await statusOf(`${await serve(ROOT)}/examples/page/inspect.html`, /\S/, choose);
    expect(status.trim()).toBe(`photo.png: defective (${calibrated.toFixed(3)})`);
  });

  test("a page runs a kernel of its own, with its gradient, and times it", async () => {
    const status = await statusOf(`${await serve(ROOT)}/examples/page/own_kernel.html`, /rate$|rror|WebGPU/);
    expect(status).toContain("softsign -0.5 0 0.75, its gradient 0.25 1 0.0625");
    expect(status).toMatch(/softsign\.forward<f32>: [1-9]\d* % of the memory's rate$/);
  });

  test("a page runs the program of the page on model files", async () => {
    const [program] = blocksOf("docs/model_file.md").filter(({ code }) => code.includes('"bigrid/browser"'));
    const folder = await temporaryFolder();
    await saveDetector(await madeUpDetector(device, 64, { decoder: "tiny" }), folder);
    await symlink(join(ROOT, "dist"), join(folder, "dist"));
    const map = JSON.stringify({ imports: { "bigrid/browser": "/dist/browser.js" } });
    const shown = 'document.getElementById("status").textContent = detector.config.method.name;';
    await writeFile(
      join(folder, "index.html"),
      `<p id="status"></p><script type="importmap">${map}</script><script type="module">${program!.code}${shown}</script>`,
    );
    expect(await statusOf(`${await serve(folder)}/index.html`, /\S/)).toBe("grad");
  });

  test("a Vite app bundles the package and trains with its kernels", async () => {
    const folder = await temporaryFolder();
    await cp(join(ROOT, "examples/vite_app"), folder, { recursive: true });
    await mkdir(join(folder, "node_modules"));
    await symlink(ROOT, join(folder, "node_modules/bigrid"));
    await build({ root: folder, configFile: false, logLevel: "error", build: { target: "es2022" } });
    const address = await serve(join(folder, "dist"));
    const [before, after] = (await statusOf(`${address}/index.html`, /->|rror|WebGPU/))
      .match(/[\d.e-]+(?= ->|$)/g)!
      .map(Number);
    expect(after).toBeLessThan(before! / 4);
  });
});
