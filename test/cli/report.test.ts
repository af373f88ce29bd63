import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { heatColour, heatOverlay, maskContour } from "../../src/cli/report/pictures.ts";
import { type ReportData, renderReport } from "../../src/cli/report/report.ts";
import { InputError, ShapeError } from "../../src/runtime/errors.ts";

// Unless told otherwise, vitest makes every style sheet empty, "?raw" or not: these are the files themselves.
vi.mock("../../src/cli/report/page.css?raw", async () => ({ default: await sourceOf("../../src/cli/report/page.css") }));
vi.mock("uplot/dist/uPlot.min.css?raw", async () => ({ default: await sourceOf("../../node_modules/uplot/dist/uPlot.min.css") }));
async function sourceOf(path: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return readFile(new URL(path, import.meta.url), "utf8");
}

const HOSTILE = `</script><img src=x onerror="window.hacked=1"><!--\u2028&amp;`;
const DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Two classes of 4 good and 6 defective images; at threshold 2 one defect of the first class is missed and one good image rejected. */
function reportData(changes: Partial<ReportData> = {}, className = "weave"): ReportData {
  const metrics = {
    imageAuroc: 0.99971, imageAp: 1, imageF1Max: 0.957, pixelAuroc: 0.9731, pixelAp: 0.642, pixelF1Max: 0.611, pixelAupro: 0.903,
  };
  const images = (name: string, good: readonly number[], defective: readonly number[]) => [
    ...good.map((score, i) => ({ className: name, image: `good/${i}.png`, defect: "good", defective: false, score })),
    ...defective.map((score, i) => ({ className: name, image: `scratch/${i}.png`, defect: "scratch", defective: true, score })),
  ];
  const scores = [
    ...images(className, [0.5, 0.7, 1.1, 2.2], [1.5, 2.5, 2.9, 3.1, 3.3, 4]),
    ...images("metal", [0.6, 0.8, 0.9, 1], [2.1, 2.4, 2.6, 3.4, 3.6, 3.9]),
  ];
  const curve = { x: [0, 0, 0.25, 1], y: [0, 0.9, 1, 1] };
  const steps = Array.from({ length: 80 }, (_, i) => i + 1);
  return {
    title: "Demo: synthetic inspection set",
    created: "2026-03-14T09:26:53Z",
    adapter: "llvmpipe (LLVM 19, 256 bits) - Mesa 25.0.7",
    configuration: [["Backbone", "embedded"], ["Seed", "0"]],
    classes: [className, "metal"].map((name) => ({ name, metrics, train: 24, good: 4, defective: 6 })),
    mean: metrics,
    losses: [{ stage: "Normal", steps, values: steps.map((step) => 5 * Math.exp(-step / 12) + 0.1) }],
    curves: [className, "metal"].map((name) => ({ name, roc: curve, pr: curve, pixelRoc: curve, pixelPr: curve })),
    scores,
    threshold: 2,
    samples: scores.map((score) => ({ ...score, picture: DOT, heat: DOT, contour: score.defective ? DOT : null })),
    seconds: { training: 71.3, evaluation: 3.2, images: 4.1 },
    ...changes,
  };
}

const nothing = {
  imageAuroc: null, imageAp: null, imageF1Max: null, pixelAuroc: null, pixelAp: null, pixelF1Max: null, pixelAupro: null,
};

const embedded = (html: string) => /<script type="application\/json" id="report-data">([^<]*)<\/script>/.exec(html)?.[1] as string;
const scriptsOf = (html: string) => [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1] as string);

describe("the report's document", () => {
  test("names no external address", () => {
    const html = renderReport(reportData());
    expect(html).not.toMatch(/https?:/i);
    expect(html).not.toMatch(/@import|url\(/i);
    const addresses = [...html.matchAll(/\s(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]*)/g)].map((match) => match[1] as string);
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.filter((address) => !/^(data:|#)/.test(address))).toEqual([]);
  });

  test("allows exactly the scripts that it contains", () => {
    const html = renderReport(reportData());
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1] as string;
    const scripts = scriptsOf(html);
    expect(scripts).toHaveLength(2);
    const hashes = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
    expect(policy.split("; ")).toContain(`script-src ${hashes.join(" ")}`);
    expect(policy.split("; ")).toContain("default-src 'none'");
    expect(policy.split("; ")).toContain("img-src data:");
    expect(html).not.toContain("\r");
  });

  test("carries the plotting library's licence", () => {
    expect(renderReport(reportData())).toContain("Copyright (c) 2022 Leon Sorokin");
  });

  test("keeps names as data, whatever they contain", () => {
    const data = reportData({ title: HOSTILE, adapter: HOSTILE, configuration: [[HOSTILE, HOSTILE]] }, HOSTILE);
    const html = renderReport(data);
    expect(html.includes("<img src=x")).toBe(false);
    expect(embedded(html)).not.toMatch(/[&\u2028]/);
    expect(html.match(/<script/g)).toHaveLength(3);
    expect(html.match(/<\/script/g)).toHaveLength(3);
    expect(JSON.parse(embedded(html))).toMatchObject(JSON.parse(JSON.stringify(data)));
  });

  test("fills its slots once: names that look like slots or replacement patterns stay as they are", () => {
    const html = renderReport(reportData({ title: "{{data}} $& $1 {{script}}" }));
    expect(html).toContain("<title>{{data}} $&#38; $1 {{script}}</title>");
    expect(scriptsOf(html)).toEqual(scriptsOf(renderReport(reportData())));
  });

  test("is the same for the same data", () => {
    expect(renderReport(reportData())).toBe(renderReport(reportData()));
  });

  test("refuses a score or a threshold that is no number", () => {
    expect(() => renderReport(reportData({ threshold: NaN }))).toThrow(InputError);
    const [first, ...rest] = reportData().scores;
    const scores = [{ ...(first as ReportData["scores"][number]), score: Infinity }, ...rest];
    expect(() => renderReport(reportData({ scores }))).toThrow("the score of weave good/0.png is Infinity");
  });
});

describe("heatColour", () => {
  const ramp = Array.from({ length: 101 }, (_, i) => heatColour(i / 100));

  test("grows lighter all the way", () => {
    const linear = (value: number) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ramp.map(([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue));
    const falls = luminance.filter((value, i) => i > 0 && !(value > (luminance[i - 1] as number)));
    expect(falls).toEqual([]);
  });

  test("leaves normal values transparent and never hides the photograph", () => {
    const alphas = ramp.map((colour) => colour[3]);
    expect(alphas.slice(0, 13)).toEqual(Array(13).fill(0));
    expect(alphas.every((alpha, i) => i === 0 || alpha >= (alphas[i - 1] as number))).toBe(true);
    expect(alphas.at(-1)).toBe(230);
  });

  test("clamps what lies outside the scale and refuses NaN", () => {
    expect(heatColour(-3)).toEqual(heatColour(0));
    expect(heatColour(Infinity)).toEqual(heatColour(1));
    expect(() => heatColour(NaN)).toThrow(InputError);
  });
});

describe("heatOverlay", () => {
  test("colours by the given scale, not by the map's own range", () => {
    const pixels = (map: number[]) => heatOverlay(Float32Array.from(map), map.length, 1, 2, 6);
    expect([...pixels([2, 6])]).toEqual([...heatColour(0), ...heatColour(1)]);
    expect([...pixels([-50, 6, 1000])]).toEqual([...heatColour(0), ...heatColour(1), ...heatColour(1)]);
    expect([...pixels([6, 2]).subarray(0, 4)]).toEqual([...pixels([6, 100]).subarray(0, 4)]);
  });

  test("refuses a wrong extent, an empty scale and NaN", () => {
    expect(() => heatOverlay(new Float32Array(5), 2, 3, 0, 1)).toThrow(ShapeError);
    expect(() => heatOverlay(new Float32Array(6), 2, 3, 1, 1)).toThrow(InputError);
    expect(() => heatOverlay(new Float32Array(6), 2, 3, NaN, 1)).toThrow(InputError);
    expect(() => heatOverlay(Float32Array.of(0, NaN), 2, 1, 0, 1)).toThrow("map[1] is NaN");
  });
});

describe("maskContour", () => {
  /** "#" white line, "o" dark halo, "." transparent. */
  function drawn(rows: readonly string[]): string[] {
    const width = (rows[0] as string).length;
    const mask = Uint8Array.from(rows.join(""), (c) => (c === "x" ? 255 : 0));
    const rgba = maskContour(mask, width, rows.length);
    return rows.map((_, y) =>
      Array.from({ length: width }, (_, x) => {
        const [level, , , alpha] = rgba.subarray((y * width + x) * 4) as unknown as [number, number, number, number];
        return alpha === 0 ? "." : level === 255 ? "#" : "o";
      }).join(""),
    );
  }

  test("runs around a region and leaves the region itself free", () => {
    expect(drawn([".......", ".......", ".......", "...x...", ".......", ".......", "......."])).toEqual([
      ".......",
      "..ooo..",
      ".o###o.",
      ".o#.#o.",
      ".o###o.",
      "..ooo..",
      ".......",
    ]);
  });

  test("closes the line at the edge of the image", () => {
    expect(drawn(["xxx..", "xxx..", "xxx..", "....."])).toEqual(["####o", "#..#o", "#..#o", "####o"]);
    expect(drawn(["xxx", "xxx", "xxx"])).toEqual(["###", "#.#", "###"]);
  });

  test("draws nothing for an empty mask, and doubles the line in large images", () => {
    expect(maskContour(new Uint8Array(12), 4, 3).every((value) => value === 0)).toBe(true);
    const mask = new Uint8Array(400);
    mask[200] = 1;
    const alpha = Array.from({ length: 9 }, (_, i) => maskContour(mask, 400, 1)[(196 + i) * 4 + 3]);
    // A row of one pixel is all edge: the region is part of the line.
    expect(alpha).toEqual([170, 170, 255, 255, 255, 255, 255, 170, 170]);
  });

  test("refuses a wrong extent", () => {
    expect(() => maskContour(new Uint8Array(5), 2, 3)).toThrow(ShapeError);
  });
});

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
const suite = executablePath === undefined ? "the report in a browser (skipped: no Chromium in /usr/bin)" : "the report in a browser";

describe.skipIf(executablePath === undefined)(suite, () => {
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bigrid-report-"));
    const args = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
    browser = await chromium.launch({ executablePath: executablePath as string, args });
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens a report and gives the page to the test; fails on any console error, exception, or request to outside. */
  async function visit(data: ReportData, look: (page: Page) => Promise<void>, width = 1280): Promise<void> {
    const file = join(folder, "report.html");
    await writeFile(file, renderReport(data));
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: "light" });
    page.setDefaultTimeout(10_000);
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) complaints.push(`request to ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    await look(page);
    expect(complaints).toEqual([]);
    await page.close();
  }

  /** Per canvas of a chart, how many of its pixels are painted. */
  const painted = (page: Page) =>
    page.evaluate(() => [...document.querySelectorAll<HTMLCanvasElement>(".chart canvas")].map((canvas) => {
      const { data: pixels } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, canvas.width, canvas.height);
      return pixels.filter((value, i) => i % 4 === 3 && value > 0).length;
    }));
  const words = (page: Page) => page.locator("#threshold-words").innerText();
  const cards = (page: Page) => page.locator("#gallery .card").count();

  test("draws every chart and all figures", async () => {
    await visit(reportData(), async (page) => {
      const counts = await painted(page);
      expect(counts).toHaveLength(2 + 4 + 1);
      expect(counts.filter((count) => !(count > 500))).toEqual([]);
      expect(await page.locator("[data-metric] .number").allInnerTexts()).toEqual([">0.999", "1.000", "0.973", "0.903", "0.642"]);
      expect(await page.locator("#class-table tbody tr").count()).toBe(2);
      const last = await page.locator("#class-table tfoot tr").innerText();
      expect(last.split(/\s*\t\s*/)).toEqual(
        ["Mean (counts: sum)", ">0.999", "1.000", "0.957", "0.973", "0.642", "0.611", "0.903", "48", "8", "12"]);
      expect(await page.locator("#lead").innerText()).toContain("catches 11 of 12 defects and rejects 1 of 8 good images");
    });
  });

  test("says what the threshold does while it moves", async () => {
    await visit(reportData(), async (page) => {
      expect((await words(page)).toLowerCase()).toBe("catches 11 of 12 defects, rejects 1 of 8 good images");
      const chart = page.locator(".chart canvas").first();
      const image = () => chart.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const axisLabels = () => chart.evaluate((canvas: HTMLCanvasElement) =>
        (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(0, canvas.height - 20, canvas.width, 20).data.join());
      const [before, labels] = [await image(), await axisLabels()];
      const range = page.locator("#threshold-range");
      await range.fill("2.3");
      expect((await words(page)).toLowerCase()).toBe("catches 10 of 12 defects, rejects 0 of 8 good images");
      expect(await range.getAttribute("aria-valuetext")).toContain("catches 10 of 12 defects");
      expect(await page.locator(".score-head").first().innerText()).toContain("catches 5 of 6 defects, rejects 0 of 4 good images");
      await expect.poll(async () => (await image()) === before).toBe(false);
      expect((await axisLabels()) === labels).toBe(true);
      await page.locator("#threshold-reset").click();
      expect((await words(page)).toLowerCase()).toContain("catches 11 of 12");
      for (let i = 0; i < 30; i++) await range.press("PageUp");
      expect((await words(page)).toLowerCase()).toBe("catches 0 of 12 defects, rejects 0 of 8 good images");
    });
  });

  test("rejects an image whose score is the threshold itself", async () => {
    await visit(reportData({ threshold: 2.2 }), async (page) => {
      expect((await words(page)).toLowerCase()).toBe("catches 10 of 12 defects, rejects 1 of 8 good images");
    });
  });

  test("filters and orders the gallery", async () => {
    await visit(reportData(), async (page) => {
      const pick = (name: string) => page.getByRole("radio", { name }).check();
      expect(await cards(page)).toBe(20);
      const [first, good] = [0, 12].map((index) => page.locator("#gallery .card").nth(index));
      expect(await first?.innerText()).toMatch(/scratch\s+missed\s+weave \/ 0.png\s+1.50/);
      expect(await good?.innerText()).toMatch(/good\s+false reject\s+weave \/ 3.png\s+2.20/);
      await pick("Defects");
      expect(await cards(page)).toBe(12);
      await pick("Good");
      expect(await cards(page)).toBe(8);
      await page.locator("[name=class]").selectOption("metal");
      expect(await cards(page)).toBe(4);
      await pick("Wrong");
      expect(await cards(page)).toBe(0);
      expect(await page.locator("#gallery-count").innerText()).toContain("No image of the gallery is wrongly judged");
      await page.locator("[name=class]").selectOption("");
      expect(await cards(page)).toBe(2);
      await page.locator("#threshold-range").fill("1.3");
      expect(await cards(page)).toBe(1);
    });
  });

  test("fades the heat map, hides the outline and opens an image from the keyboard", async () => {
    await visit(reportData(), async (page) => {
      const heat = page.locator("#gallery .heat").first();
      const outline = page.locator("#gallery .contour").first();
      expect(await heat.evaluate((image) => getComputedStyle(image).opacity)).toBe("0.8");
      await page.locator("#gallery-controls [name=overlay]").fill("0");
      expect(await heat.evaluate((image) => getComputedStyle(image).opacity)).toBe("0");
      expect(await outline.isVisible()).toBe(true);
      await page.locator("#gallery-controls [name=contour]").uncheck();
      expect(await outline.isVisible()).toBe(false);

      await page.locator("#gallery button").first().focus();
      await page.keyboard.press("Enter");
      expect(await page.locator("#viewer-title").innerText()).toBe("scratch: missed");
      expect(await page.locator("#viewer [data-layer=overlay]").inputValue()).toBe("0");
      await page.keyboard.press("ArrowRight");
      expect(await page.locator("#viewer-position").innerText()).toBe("2 of 20");
      await page.keyboard.press("Escape");
      expect(await page.locator("#viewer").isVisible()).toBe(false);
      expect(await page.evaluate(() => document.activeElement === document.querySelector("#gallery button"))).toBe(true);
    });
  });

  test("redraws its charts in the colours of the scheme, and on paper in light ones", async () => {
    await visit(reportData(), async (page) => {
      const chart = page.locator("#curve-charts canvas").first();
      const image = () => chart.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const light = await image();
      await page.emulateMedia({ colorScheme: "dark" });
      await expect.poll(image).not.toBe(light);
      await page.emulateMedia({ media: "print" });
      const widths = () => chart.evaluate((canvas: HTMLCanvasElement) => canvas.width / canvas.getBoundingClientRect().width);
      await expect.poll(widths).toBeGreaterThan(2.9);
      expect(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--ink"))).toBe("#191c20");
      await page.emulateMedia({ media: null, colorScheme: "light" });
      await expect.poll(image).toBe(light);
    });
  });

  test("fits a narrow window and resizes its charts", async () => {
    await visit(reportData(), async (page) => {
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(await overflow()).toBe(0);
      await page.setViewportSize({ width: 360, height: 800 });
      await expect.poll(overflow).toBe(0);
      const tooWide = () => page.evaluate(() =>
        [...document.querySelectorAll(".chart canvas")].filter((canvas) => canvas.getBoundingClientRect().right > innerWidth).length);
      await expect.poll(tooWide).toBe(0);
    });
  });

  test("shows undefined figures as a hyphen and says why a curve is missing", async () => {
    const none = { x: [], y: [] };
    const changes = {
      mean: nothing,
      classes: reportData().classes.map((c) => ({ ...c, metrics: nothing })),
      curves: reportData().curves.map((c) => ({ ...c, pixelRoc: none, pixelPr: none })),
      losses: [],
    };
    await visit(reportData(changes), async (page) => {
      expect(await page.locator("[data-metric] .number").allInnerTexts()).toEqual(Array(5).fill("-"));
      expect(await page.locator("#class-table tbody td:nth-child(-n+8)").allInnerTexts()).toEqual(Array(14).fill("-"));
      expect(await page.locator("#curve-charts .undefined").allInnerTexts()).toEqual(Array(2).fill("No masks, so no curve."));
    });
  });

  test("works without any image", async () => {
    const changes = { classes: [], curves: [], losses: [], scores: [], samples: [] };
    await visit(reportData(changes), async (page) => {
      expect((await words(page)).toLowerCase()).toBe("has no defects to catch, has no good images to reject");
    });
  });

  test("shows hostile names as text and runs no script but its own", async () => {
    await visit(reportData({ title: HOSTILE, adapter: HOSTILE, configuration: [[HOSTILE, HOSTILE]] }, HOSTILE), async (page) => {
      expect(await page.locator("h1").innerText()).toContain("<img src=x");
      expect(await page.locator("img[src=x]").count()).toBe(0);
      expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    });
    const page = await browser.newPage();
    await page.goto(pathToFileURL(join(folder, "report.html")).href);
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.hacked = 1";
      document.body.append(script);
      return "hacked" in window;
    });
    expect(ran).toBe(false);
    await page.close();
  });

  test("shows the layers of a sample in register", async () => {
    const raw = { width: 48, height: 32, channels: 4 as const };
    const url = async (rgba: Uint8Array) => `data:image/png;base64,${(await sharp(rgba, { raw }).png().toBuffer()).toString("base64")}`;
    const map = Float32Array.from({ length: 48 * 32 }, (_, i) => (i % 48) / 47);
    const mask = Uint8Array.from(map, (value) => (value > 0.5 ? 1 : 0));
    const heat = await url(heatOverlay(map, 48, 32, 0, 1));
    const contour = await url(maskContour(mask, 48, 32));
    const samples = reportData().samples.slice(4, 5).map((sample) => ({ ...sample, picture: heat, heat, contour }));
    await visit(reportData({ samples }), async (page) => {
      const boxes = await page.locator("#gallery img").evaluateAll((images) => images.map((image) => {
        const { x, y, width, height } = image.getBoundingClientRect();
        return [(image as HTMLImageElement).naturalWidth, x, y, width, height];
      }));
      expect(boxes).toHaveLength(3);
      expect(boxes[0]?.[0]).toBe(48);
      expect(boxes[1]).toEqual(boxes[0]);
      expect(boxes[2]).toEqual(boxes[0]);
    });
  });
});
