import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import { loadDetector } from "../../src/node/detector_file.ts";
import { device } from "../harness/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { complaintsOf, executablePath, launch, servedSite, wordsUnderPointer } from "./chromium.ts";
import { inputsOf } from "../harness/inputs.ts";

const SIZE = "96";
const HANGS = 900_000; // against waiting for ever, not to measure time
const SAMPLES = 20; // pictures to inspect in the sample set
const suite =
  executablePath === undefined
    ? "the playground (skipped: no Chromium in /usr/bin, none named by CHROMIUM)"
    : "the playground";

describe.skipIf(executablePath === undefined)(suite, { timeout: HANGS }, () => {
  let browser: Browser;
  let site: Awaited<ReturnType<typeof servedSite>>;
  let page: Page;
  let complaints: string[];
  let folder: string;
  let scores: number[];

  const visit = async (path = "") => {
    await page.goto(`${site.url}${path}`);
    await page.waitForSelector('#adapter[data-state="there"]');
  };
  const visible = (selector: string) => page.waitForSelector(selector, { state: "visible" });
  const startTraining = async () => {
    await page.click("#samples");
    await visible("#thumbs li");
    await page.selectOption("#size", SIZE);
    await page.click("#start");
  };
  /** Scores of the sample set, as the page's detector gives them. */
  const inspected = async (): Promise<number[]> => {
    if (await page.isVisible("#clear")) await page.click("#clear");
    await page.click("#test-samples");
    await page.waitForFunction((count) => document.querySelectorAll("#results [data-score]").length === count, SAMPLES);
    return page
      .locator("#results [data-score]")
      .evaluateAll((items) => items.map((item) => Number((item as HTMLElement).dataset["score"])));
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    [site, browser] = await Promise.all([servedSite(), launch()]);
    page = await (await browser.newContext({ acceptDownloads: true })).newPage();
    page.setDefaultTimeout(HANGS);
    complaints = complaintsOf(page, site.url);
  });
  afterAll(async () => {
    await browser.close();
    await site.close();
  });

  test("a training survives a lost device and a closed tab, and goes on", async () => {
    await visit();
    await startTraining();
    await page.waitForFunction(() => /^Kept after/.test(document.getElementById("kept")!.textContent));
    await page
      .workers()[0]!
      .evaluate(() => self.dispatchEvent(new MessageEvent("message", { data: { kind: "lose" } })));
    await visible("#notice");
    expect(await page.textContent("#notice")).toMatch(
      /^the GPU device was lost \(destroyed\).*What was trained so far is kept/,
    );
    await page.click("#notice button");
    await page.waitForFunction(() =>
      /was left after [1-9]\d* steps/.test(document.getElementById("kept")!.textContent),
    );
    await page.reload();
    await page.waitForFunction(() =>
      /A training of 24 pictures was left after [1-9]\d* steps/.test(document.getElementById("kept")!.textContent),
    );
    expect(await page.textContent("#start")).toBe("Go on training");
    expect(await page.inputValue("#size")).toBe(SIZE);
    await page.click("#start");
    await visible("#test-files:not([disabled])");
  });

  test("the sample set's defects are found: image AUROC of at least 0.95, with heat where they are", async () => {
    await page.click("#samples");
    await visible("#test-samples");
    scores = await inspected();
    const [, area] = /image AUROC (\d\.\d+)/.exec((await page.textContent("#verdict"))!)!;
    expect(Number(area)).toBeGreaterThanOrEqual(0.95);
    // Without heat, what differs from the picture with it is where the heat is: nearly nowhere on good parts.
    const light = () =>
      page.locator("#results canvas").evaluateAll((canvases) =>
        (canvases as HTMLCanvasElement[]).map((canvas) => {
          const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
          return data.reduce((sum, value) => sum + value, 0) / data.length;
        }),
      );
    const drawn = async (opacity: string) => {
      await page.locator("#opacity").fill(opacity);
      return light();
    };
    const [heated, bare] = [await drawn("1"), await drawn("0")];
    const heat = heated.map((value, i) => Math.abs(value - bare[i]!));
    const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(meanOf(heat.slice(8))).toBeGreaterThan(5 * meanOf(heat.slice(0, 8)));
  });

  test("the threshold says what it rejects", async () => {
    await page.locator("#threshold").fill("0.98");
    expect(await page.textContent("#verdict")).toMatch(
      /^At 0\.98 it rejects 0 of 4 good pictures that it did not learn from/,
    );
    await page.locator("#threshold").fill("0.02");
    expect(await page.textContent("#verdict")).toMatch(/calls (1[5-9]|20) of 20 inspected ones defective/);
    await page.locator("#threshold").fill("0.5");
  });

  test("pictures that are cleared before they are inspected leave no trace", async () => {
    await page.click("#clear");
    await page.click("#test-samples");
    expect(await inspected()).toEqual(scores); // of those after the clearing
    expect(complaints).toEqual([]);
  });

  test("a hostile picture gives one row with an error, and those after it are inspected", async () => {
    await page.click("#clear");
    const good = await sharp({ create: { width: 96, height: 96, channels: 3, background: "grey" } })
      .png()
      .toBuffer();
    const huge = Buffer.from(good);
    huge.writeUInt32BE(30_000, 16);
    huge.writeUInt32BE(30_000, 20);
    const files = [
      ["good 1.png", good],
      ["huge.png", huge],
      ["cut.png", good.subarray(0, 60)],
      ["photo.heic", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic")],
      ["good 2.png", good],
    ] as const;
    const choosing = page.waitForEvent("filechooser");
    await page.click("#test-files");
    await (await choosing).setFiles(files.map(([name, buffer]) => ({ name, mimeType: "image/png", buffer })));
    await page.waitForFunction(
      () =>
        document.querySelectorAll("#results [data-score]").length === 2 &&
        document.querySelectorAll('#results [data-verdict="refused"]').length === 3,
    );
    const rows = await page.locator("#results li").allTextContents();
    expect(rows[1]).toContain("huge.png: it has more than 100000000 pixels");
    expect(rows[2]).toContain("cut.png: the image is damaged");
    expect(rows[3]).toContain("photo.heic: it is a HEIC file; convert it to JPEG or PNG");
    expect(complaints).toEqual([]);
    await page.click("#clear");
  });

  test("a saved model gives Node the same scores, and the page the same ones again", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
    const path = join(folder, "model.safetensors");
    await download.saveAs(path);

    const detector = await loadDetector(device, path);
    const plate = synthesise({ size: 192, train: 24, good: 8, defective: 4, seed: 1 }).find(
      ({ name }) => name === "plate",
    )!;
    for (const [i, { rgba }] of plate.test.entries()) {
      const [inspection] = await detector.inspect(inputsOf([{ width: 192, height: 192, data: rgba }]));
      expect(Math.abs(inspection!.score / scores[i]! - 1)).toBeLessThan(1e-4);
    }
    detector.release();

    await page.reload();
    await visible("#test-files:not([disabled])"); // it was kept
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#load")]);
    await chooser.setFiles(path);
    await page.click("#samples");
    await visible("#test-samples");
    expect(await inspected()).toEqual(scores);
  });

  test("a file that is no picture, and one that is no model, are refused by name", async () => {
    const text = join(folder, "notes.png");
    await writeFile(text, "no picture");
    await page.click("#clear");
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#test-files")]);
    await chooser.setFiles(text);
    await visible('.badge[data-verdict="refused"]');
    expect(await page.textContent("#results .words")).toContain(
      "cannot read notes.png: it is not an image of a known format",
    );
    const [again] = await Promise.all([page.waitForEvent("filechooser"), page.click("#load")]);
    await again.setFiles(text);
    await visible("#notice");
    expect(await page.textContent("#notice")).toContain("notes.png is not a valid safetensors file");
  });

  test("what the camera sees is inspected, and becomes good pictures", async () => {
    await page.click("#clear");
    await page.click("#good-camera");
    await visible("#camera");
    await page.check("#live");
    await page.waitForFunction(() => document.querySelectorAll("#results [data-score]").length === 1);
    // frame after frame: the picture changes, its card stays, and the rate is told
    const seen = new Set<string>();
    for (let looks = 0; seen.size < 3 && looks < 400; looks++) {
      seen.add(
        await page
          .locator("#results canvas")
          .first()
          .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL()),
      );
      await page.waitForTimeout(50);
    }
    expect(seen.size).toBeGreaterThanOrEqual(3);
    expect(await page.locator("#results li").count()).toBe(1);
    const [, rate] = /^(\d+\.\d) frames a second$/.exec((await page.textContent("#rate"))!)!;
    expect(Number(rate)).toBeGreaterThan(0);
    await page.uncheck("#live");
    expect(await page.textContent("#rate")).toBe("");
    const before = await page.textContent("#good-count");
    await page.click("#shoot");
    await page.waitForFunction((text) => document.getElementById("good-count")!.textContent !== text, before);
    await page.click("#camera-off");
  });

  test("every kernel draws a picture, and its controls change it", async () => {
    await visit("kernels.html");
    const names = await page.locator("#list a").allTextContents();
    for (const name of names) {
      await page.click(`#list a:text-is("${name}")`);
      await page.waitForFunction((name) => document.getElementById("after")!.dataset["shader"] === name, name);
      const picture = () => page.locator("#after").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
      const first = await picture();
      const knob = page.locator("#knobs input, #knobs select").first();
      const isChoice = (await knob.evaluate((control) => control.tagName)) === "SELECT";
      const changed = page.waitForFunction(
        (first) => (document.getElementById("after") as HTMLCanvasElement).toDataURL() !== first,
        first,
      );
      if (isChoice) await knob.selectOption({ index: 1 });
      else
        await knob.evaluate((input) => {
          const range = input as HTMLInputElement;
          range.value = range.value === range.max ? range.min : range.max;
          range.dispatchEvent(new Event("input"));
        });
      await changed;
    }
    const shaders = (await readdir("shaders")).filter((name) => name.endsWith(".wgsl"));
    expect(names).toEqual(shaders.map((name) => name.replace(".wgsl", "")).sort());
  });

  test("what one invocation owns is shown on a small example", async () => {
    await page.click('#list a:text-is("pool")');
    await page.click("#own");
    await visible("#owned");
    expect(await page.textContent("#owned-words")).toMatch(
      /: invocation 0 of \d+, found by sending all others home\.$/,
    );
    expect(await page.locator("#owned-grids figcaption").allTextContents()).toEqual([
      expect.stringMatching(/^input 0 \[.*\]: reads \d+ of \d+$/),
      expect.stringMatching(/^output \[.*\]: writes [1-4] of \d+$/),
    ]);
  });

  describe("code can be changed and tried", () => {
    /** Replaces text in the editor, and tries what comes of it. */
    const tryWith = async (from: string, to: string): Promise<string> => {
      if (await page.isVisible("#edit")) await page.click("#edit");
      const code = await page.inputValue("#editor");
      expect(code).toContain(from);
      await page.fill("#editor", code.replace(from, to));
      await page.click("#try");
      await page.waitForFunction(() => !/^(Running.*|)$/.test(document.getElementById("tried")!.textContent));
      return (await page.textContent("#tried"))!;
    };

    test("against its definition, with the compiler's lines", async () => {
      await page.click('#list a:text-is("mse_loss")');
      await page.waitForFunction(() => /float64/i.test(document.getElementById("definition")!.textContent));
      expect(await tryWith("", "")).toMatch(/^As defined\. .* ms before, .* ms now\.$/);
      expect(await tryWith("struct Params", "strict Params")).toBe("It does not compile; the kernel before is in use.");
      const line = (await page.inputValue("#editor")).split("\n").findIndex((text) => text.startsWith("strict")) + 1;
      expect((await page.locator("#faults li").allTextContents())[0]).toMatch(new RegExp(`^line ${line} `));
      expect(await tryWith("strict Params", "struct Params")).toContain("As defined.");
      await page.click("#restore");
      expect(await page.isVisible("#editor")).toBe(false);
    });

    test("a kernel of one's own, with its gradient", async () => {
      await page.click('.list a[href="#your-own"]');
      await page.waitForFunction(() => document.getElementById("after")!.dataset["shader"] === "your-own");
      expect(await tryWith("", "")).toBe("As defined.");
      expect(await tryWith("(denominator * denominator)", "denominator")).toBe("1 of 1 differ from their definition.");
    });
  });

  test("rates are measured in the page, and saved as JSON", async () => {
    await page.click('#list a:text-is("scan")');
    await page.click("#measure");
    await visible("#export:not([disabled])");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
    await download.saveAs(join(folder, "kernels.json"));
    const { adapter, roofs, kernels } = JSON.parse(await readFile(join(folder, "kernels.json"), "utf8")) as {
      adapter: { description: string };
      roofs: { gigaflops: number; gigabytes: number };
      kernels: { kernel: string; milliseconds: number; gigabytes: number; share: number }[];
    };
    expect(adapter.description).toMatch(/swiftshader/i);
    expect(kernels.map(({ kernel }) => kernel)).toEqual(["scan.block_totals and forward"]);
    expect(kernels[0]!.milliseconds).toBeGreaterThan(0);
    expect(kernels[0]!.share).toBeCloseTo(kernels[0]!.gigabytes / roofs.gigabytes, 2);
    expect(roofs.gigaflops).toBeGreaterThan(0);
  });

  test("the plot has the rows measured so far, and says what lies under the pointer", async () => {
    expect(await page.getAttribute("#roofline [role=img]", "aria-label")).toContain("Roofline plot of 1 rows");
    await page.click('#list a:text-is("histogram")');
    await page.click("#measure");
    await page.waitForFunction(() =>
      document.querySelector("#roofline [role=img]")!.getAttribute("aria-label")!.includes("of 2 rows"),
    );
    expect(await wordsUnderPointer(page, "#roofline")).toMatch(
      /^(scan|histogram)\.[^]* ms: .* GB\/s\n.* % of the roof/,
    );
  });

  test("nothing went wrong on the way, and nothing was asked of other places", () => expect(complaints).toEqual([]));

  test("without WebGPU both pages say what is missing and what to do", async () => {
    const bare = await launch(false);
    const other = await bare.newPage();
    await other.goto(site.url);
    await other.waitForSelector("#notice", { state: "visible" });
    expect(await other.textContent("#adapter")).toBe("No WebGPU here.");
    expect(await other.textContent("#notice")).toMatch(
      /^(this browser has no WebGPU|no WebGPU adapter): .*Firefox from 141 on Windows/,
    );
    expect(await other.isDisabled("#start")).toBe(true);
    await other.goto(`${site.url}kernels.html`);
    await other.waitForSelector("#notice", { state: "visible" });
    expect(await other.textContent("#title")).toBe("activation"); // formula and source are there all the same
    await bare.close();
  });
});
