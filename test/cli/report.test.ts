import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chosen } from "../../src/cli/evaluate/run_report.ts";
import { maskContour } from "../../src/io/contour.ts";
import { heatColour, heatLayer, logLevels } from "../../src/io/heat.ts";
import { placementOf } from "../../src/io/placement.ts";
import { type ReportData, renderReport } from "../../src/cli/report/report.ts";
import { InputError, ShapeError } from "../../src/runtime/errors.ts";

const HOSTILE = `</script><img src=x onerror="window.hacked=1"><!--\u2028&amp;`;
const DOT =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/**
 * Two classes of 4 good and 6 defective images; at threshold 2 one defect of the first class is missed and one good
 * image rejected.
 */
function reportData(changes: Partial<ReportData> = {}, className = "weave"): ReportData {
  const metrics = {
    imageAuroc: 0.99971,
    imageAp: 1,
    imageF1Max: 0.957,
    pixelAuroc: 0.9731,
    pixelAp: 0.642,
    pixelF1Max: 0.611,
    pixelAupro: 0.903,
  };
  const intervals = {
    imageAuroc: [0.99, 1],
    imageAp: [1, 1],
    imageF1Max: [0.9, 0.98],
    pixelAuroc: [0.95, 0.985],
    pixelAp: [0.5, 0.75],
    pixelF1Max: [0.5, 0.7],
    pixelAupro: [0.85, 0.93],
  } as const;
  const images = (name: string, good: readonly number[], defective: readonly number[]) => [
    ...good.map((score, i) => ({ className: name, image: `good/${i}.png`, defect: "good", defective: false, score })),
    ...defective.map((score, i) => ({
      className: name,
      image: `scratch/${i}.png`,
      defect: "scratch",
      defective: true,
      score,
    })),
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
    configuration: [
      ["Backbone", "embedded"],
      ["Seed", "0"],
    ],
    classes: [className, "metal"].map((name) => ({
      name,
      metrics,
      intervals,
      errors: zero,
      method: "exact",
      pixels: 5000,
      gap: null,
      train: 24,
      good: 4,
      defective: 6,
      pixelThreshold: 4,
      steepness: 2,
    })),
    mean: metrics,
    intervals,
    losses: [{ stage: "Normal", steps, values: steps.map((step) => 5 * Math.exp(-step / 12) + 0.1) }],
    curves: [className, "metal"].map((name) => ({
      name,
      roc: curve,
      pr: curve,
      pixelRoc: curve,
      pixelPr: curve,
      pro: curve,
    })),
    scores,
    threshold: 2,
    mapRange: [1, 16],
    samples: scores.map((score) => ({
      ...score,
      aspect: 1,
      picture: DOT,
      heat: DOT,
      map: DOT,
      contour: score.defective ? DOT : null,
    })),
    seconds: { training: 71.3, evaluation: 3.2, images: 4.1 },
    ...changes,
  };
}

const zero = { imageAuroc: 0, imageAp: 0, imageF1Max: 0, pixelAuroc: 0, pixelAp: 0, pixelF1Max: 0, pixelAupro: 0 };
const nothing = {
  imageAuroc: null,
  imageAp: null,
  imageF1Max: null,
  pixelAuroc: null,
  pixelAp: null,
  pixelF1Max: null,
  pixelAupro: null,
};

const embedded = (html: string) =>
  /<script type="application\/json" id="report-data">([^<]*)<\/script>/.exec(html)?.[1] as string;
const scriptsOf = (html: string) =>
  [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1] as string);

describe("the report's document", () => {
  test("names no external address", () => {
    const html = renderReport(reportData());
    expect(html).not.toMatch(/https?:/i);
    expect(html).not.toMatch(/@import|url\(/i);
    const addresses = [...html.matchAll(/\s(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]*)/g)].map(
      (match) => match[1] as string,
    );
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
    const linear = (value: number) =>
      value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    const luminance = ramp.map(
      ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue),
    );
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

describe("heatLayer", () => {
  /** The layer of a photograph of one row of pixels. */
  const layerOf = (row: readonly number[], heat: readonly [number, number]) => {
    const size = row.length;
    const place = { left: 0, top: 0, width: size, height: 1 };
    const map = Float32Array.from({ length: size * size }, (_, i) => row[i % size]!);
    return {
      map,
      size: { width: size, height: size },
      photograph: place,
      placement: { source: place, target: place },
      heat,
    };
  };

  test("colours by the given scale, not by the map's own range", () => {
    const pixels = (row: number[]) => heatLayer(layerOf(row, [2, 6])).data;
    expect([...pixels([2, 6])]).toEqual([...heatColour(0), ...heatColour(1)]);
    expect([...pixels([-50, 6, 1000])]).toEqual([...heatColour(0), ...heatColour(1), ...heatColour(1)]);
    expect([...pixels([6, 2]).subarray(0, 4)]).toEqual([...pixels([6, 100]).subarray(0, 4)]);
  });

  test("refuses a wrong extent, an empty scale and NaN", () => {
    expect(() => heatLayer({ ...layerOf([1, 2], [1, 2]), map: new Float32Array(5) })).toThrow(ShapeError);
    for (const heat of [
      [0, 1],
      [1, 1],
      [NaN, 1],
    ] as const)
      expect(() => heatLayer(layerOf([1, 2], heat))).toThrow(InputError);
    expect(() => heatLayer(layerOf([0, NaN], [1, 2]))).toThrow("map[1] is NaN");
  });
});

describe("logLevels", () => {
  test("are logarithmic between the ends of the scale and clamped beyond", () => {
    expect([...logLevels(Float32Array.of(0, 1, 4, 16, 99), 5, 1, [1, 16])]).toEqual([0, 0, 128, 255, 255]);
  });

  test("are refused for a wrong extent, and without a scale", () => {
    expect(() => logLevels(new Float32Array(5), 2, 3, [1, 2])).toThrow(ShapeError);
    expect(() => logLevels(Float32Array.of(1, NaN), 2, 1, [1, 2])).toThrow("logLevels: map[1] is NaN");
    for (const range of [
      [0, 1],
      [2, 2],
      [3, NaN],
    ] as const)
      expect(() => logLevels(new Float32Array(6), 2, 3, range)).toThrow(InputError);
  });
});

test("a gallery has the lowest and the highest scores of either kind, and all images where they are few", () => {
  const scored = (good: number, defective: number) =>
    [...Array<number>(good).keys()]
      .map((i) => ({ item: { path: `good/${i}`, defect: "good", defective: false, masks: [] }, score: i / good }))
      .concat(
        [...Array<number>(defective).keys()].map((i) => ({
          item: { path: `bad/${i}`, defect: "bad", defective: true, masks: [] },
          score: 0.5 + i / defective,
        })),
      );
  const paths = (good: number, defective: number, most: number) =>
    chosen(scored(good, defective), most).map(({ item }) => item.path);
  expect(paths(100, 100, 8)).toEqual(["bad/0", "bad/1", "bad/98", "bad/99", "good/0", "good/1", "good/98", "good/99"]);
  expect(paths(2, 100, 8)).toEqual(["bad/0", "bad/1", "bad/2", "bad/97", "bad/98", "bad/99", "good/0", "good/1"]);
  expect(paths(100, 1, 5)).toEqual(["bad/0", "good/0", "good/1", "good/98", "good/99"]);
  expect(paths(3, 2, 8)).toHaveLength(5);
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

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
const suite =
  executablePath === undefined
    ? "the report in a browser (skipped: no Chromium in /usr/bin)"
    : "the report in a browser";

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
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLCanvasElement>(".chart canvas")].map((canvas) => {
        const { data: pixels } = (canvas.getContext("2d") as CanvasRenderingContext2D).getImageData(
          0,
          0,
          canvas.width,
          canvas.height,
        );
        return pixels.filter((value, i) => i % 4 === 3 && value > 0).length;
      }),
    );
  const words = (page: Page) => page.locator("#threshold-words").innerText();
  const cards = (page: Page) => page.locator("#gallery .card").count();

  test("draws every chart and all figures", async () => {
    await visit(reportData(), async (page) => {
      const counts = await painted(page);
      expect(counts).toHaveLength(2 + 5 + 1);
      expect(counts.filter((count) => !(count > 500))).toEqual([]);
      expect(await page.locator("[data-metric] .number").allInnerTexts()).toEqual([
        ">0.999",
        "1.000",
        "0.973",
        "0.903",
        "0.642",
      ]);
      expect(await page.locator("#class-table tbody tr").count()).toBe(2);
      const last = await page.locator("#class-table tfoot tr").innerText();
      expect(last.split(/\s*[\t\n]\s*/).filter((text) => !text.includes("\u2013"))).toEqual([
        "Mean (counts: sum)",
        ">0.999",
        "1.000",
        "0.957",
        "0.973",
        "0.642",
        "0.611",
        "0.903",
        "48",
        "8",
        "12",
      ]);
      expect(await page.locator("#lead").innerText()).toContain(
        "catches 11 of 12 defects and rejects 1 of 8 good images",
      );
    });
  });

  test("says what the threshold does while it moves", async () => {
    await visit(reportData(), async (page) => {
      expect((await words(page)).toLowerCase()).toBe("catches 11 of 12 defects, rejects 1 of 8 good images");
      const chart = page.locator(".chart canvas").first();
      const image = () => chart.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const axisLabels = () =>
        chart.evaluate((canvas: HTMLCanvasElement) =>
          (canvas.getContext("2d") as CanvasRenderingContext2D)
            .getImageData(0, canvas.height - 20, canvas.width, 20)
            .data.join(),
        );
      const [before, labels] = [await image(), await axisLabels()];
      const range = page.locator("#threshold-range");
      await range.fill("2.3");
      expect((await words(page)).toLowerCase()).toBe("catches 10 of 12 defects, rejects 0 of 8 good images");
      expect(await range.getAttribute("aria-valuetext")).toContain("catches 10 of 12 defects");
      expect(await page.locator(".score-head").first().innerText()).toContain(
        "catches 5 of 6 defects, rejects 0 of 4 good images",
      );
      await expect.poll(async () => (await image()) === before).toBe(false);
      expect((await axisLabels()) === labels).toBe(true);
      await page.locator("#threshold-reset").click();
      expect((await words(page)).toLowerCase()).toContain("catches 11 of 12");
      for (let i = 0; i < 30; i++) await range.press("PageUp");
      expect((await words(page)).toLowerCase()).toBe("catches 0 of 12 defects, rejects 0 of 8 good images");
    });
  });

  test("passes an image whose score is the threshold itself, as predict does", async () => {
    await visit(reportData({ threshold: 2.2 }), async (page) => {
      expect((await words(page)).toLowerCase()).toBe("catches 10 of 12 defects, rejects 0 of 8 good images");
    });
  });

  test("counts what is caught, missed, passed and falsely rejected, and what the slider changes of that", async () => {
    await visit(reportData(), async (page) => {
      const tiles = async () =>
        (await page.locator("#outcomes > div").allInnerTexts()).map((text) => text.split(/\s*\n\s*/));
      expect(await tiles()).toEqual([
        ["Defects caught", "11", "of 12"],
        ["Defects missed", "1", "of 12"],
        ["Good passed", "7", "of 8"],
        ["False rejects", "1", "of 8"],
        ["Recall", "91.7 %", "of the defects are caught"],
        ["Precision", "91.7 %", "of the rejected are defective"],
        ["F1", "91.7 %", "both of these in one"],
        ["False reject rate", "12.5 %", "of the good are rejected"],
      ]);
      expect(await page.locator("#outcomes .is-wrong").count()).toBe(2);
      const point = page.locator("#image-curves canvas").first();
      const image = () => point.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const before = await image();
      await page.locator("#threshold-range").fill("2.3");
      expect((await tiles()).slice(1, 4)).toEqual([
        ["Defects missed", "2", "of 12; 1 at the model's own"],
        ["Good passed", "8", "of 8; 7 at the model's own"],
        ["False rejects", "0", "of 8; 1 at the model's own"],
      ]);
      await expect.poll(image).not.toBe(before);
    });
  });

  test("shows intervals, what is undefined, and how far streamed metrics may be off", async () => {
    const [first, second] = reportData().classes as [ReportData["classes"][number], ReportData["classes"][number]];
    const classes = [
      { ...first, method: "streaming" as const, pixels: 3e8, errors: { ...zero, pixelAp: 0.00021 } },
      { ...second, metrics: nothing, intervals: null, gap: "no test images" },
    ];
    await visit(reportData({ classes }), async (page) => {
      expect(await page.locator("[data-metric=pixelAupro] .interval").innerText()).toBe(
        "95 %: 0.850\u2009\u2013\u20090.930",
      );
      expect(await page.locator("#class-table tbody tr").first().locator("td").first().innerText()).toMatch(
        /^>0.999\s+0.990\u2009\u2013\u20091.000$/,
      );
      expect(await page.locator("#class-notes li").allInnerTexts()).toEqual([
        "metal: no test images.",
        "Small figures: 95 % confidence intervals, by bootstrap over the images.",
        "Pixel metrics of weave were streamed, 300,000,000 pixels: at most 2.1e-4 from exact.",
      ]);
    });
  });

  test("draws where a map exceeds the threshold, and moves that with the slider", async () => {
    // A map that rises from 1 at its left edge to 16 at its right, a power of two every quarter.
    const [width, height] = [64, 32];
    const map = Float32Array.from({ length: width * height }, (_, i) => 16 ** (((i % width) + 0.5) / width));
    const png = await sharp(logLevels(map, width, height, [1, 16]), { raw: { width, height, channels: 1 } })
      .png()
      .toBuffer();
    const scores = reportData().scores.map((score, i) => ({ ...score, score: 0.1 + i / 40 }));
    const samples = scores.slice(0, 1).map((score) => ({
      ...score,
      aspect: 1,
      picture: DOT,
      heat: DOT,
      map: `data:image/png;base64,${png.toString("base64")}`,
      contour: null,
    }));
    await visit(reportData({ scores, samples, threshold: 0.5 }), async (page) => {
      const line = page.locator("#gallery .found .line");
      /** The left and the right end of the outline, in pixels of the map. */
      const extent = async () => {
        const numbers = [...((await line.getAttribute("d")) ?? "").matchAll(/[ML]([\d.]+) [\d.]+/g)].map((match) =>
          Number(match[1]),
        );
        return [Math.min(...numbers), Math.max(...numbers)];
      };
      const at = (power: number) => (width * power) / 4;
      // at 0.5 the class's threshold for pixels, 4
      await expect.poll(extent).toEqual([expect.closeTo(at(2), 0), width]);
      await page.locator("#threshold-range").fill("0.2"); // odds of 1/4, steepness 2: half of it
      expect(await extent()).toEqual([expect.closeTo(at(1), 0), width]);
      await page.locator("#gallery-controls [name=found]").uncheck();
      expect(await page.locator("#gallery .found").isVisible()).toBe(false);
    });
  });

  test("draws distributions where there are too many images for a mark each", async () => {
    const many = Array.from({ length: 900 }, (_, i) => ({
      className: "weave",
      image: `${i}.png`,
      defect: "good",
      defective: false,
      score: 0.2 + 0.1 * Math.sin(i * i),
    }));
    await visit(reportData({ scores: [...many, ...reportData().scores] }), async (page) => {
      const counts = await painted(page);
      expect(counts[0]).toBeGreaterThan(3000);
      expect((await words(page)).toLowerCase()).toBe("catches 11 of 12 defects, rejects 1 of 908 good images");
    });
  });

  test("keeps its table within the paper", async () => {
    await visit(reportData(), async (page) => {
      await page.emulateMedia({ media: "print" });
      await expect.poll(() => page.evaluate(() => document.documentElement.classList.contains("printing"))).toBe(true);
      const beyond = await page.evaluate(() => {
        const right = (element: Element) => element.getBoundingClientRect().right;
        return [...document.querySelectorAll("main table, main figure, main dl, main li")].filter(
          (element) => right(element) > right(document.body) + 1,
        ).length;
      });
      expect(beyond).toBe(0);
    });
  });

  test("filters and orders the gallery", async () => {
    await visit(reportData(), async (page) => {
      const pick = (name: string) => page.getByRole("radio", { name }).check();
      expect(await cards(page)).toBe(20);
      const [first, good] = [0, 1].map((index) => page.locator("#gallery .card").nth(index));
      expect(await first?.innerText()).toMatch(/scratch\s+missed\s+weave \/ 0.png\s+1.50/);
      expect(await good?.innerText()).toMatch(/good\s+false reject\s+weave \/ 3.png\s+2.20/);
      const order = async (value: string) => {
        await page.locator("[name=order]").selectOption(value);
        return page.locator("#gallery [data-slot=score]").allInnerTexts();
      };
      expect((await order("worst")).slice(0, 3)).toEqual(["1.50", "2.20", "2.10"]); // missed, rejected, just caught
      expect((await order("best")).slice(0, 3)).toEqual(["4.00", "3.90", "3.60"]);
      expect((await order("highest")).slice(-1)).toEqual(["0.50"]);
      await pick("Defects");
      expect(await cards(page)).toBe(12);
      await pick("Good");
      expect(await cards(page)).toBe(8);
      await page.locator("[name=class]").selectOption("metal");
      expect(await cards(page)).toBe(4);
      await pick("Misclassified");
      expect(await cards(page)).toBe(0);
      expect(await page.locator("#gallery-count").innerText()).toContain("No image of the gallery is misclassified");
      await page.locator("[name=class]").selectOption("");
      expect(await cards(page)).toBe(2);
      await page.locator("#threshold-range").fill("1.3");
      expect(await cards(page)).toBe(1);
    });
  });

  test("of many images shows the worst and the best, and all on demand", async () => {
    const samples = Array.from({ length: 30 }, (_, i) => ({
      ...reportData().samples[4]!,
      image: `${i}.png`,
      score: 1 + i / 10,
    }));
    await visit(reportData({ samples }), async (page) => {
      const scores = () => page.locator("#gallery [data-slot=score]").allInnerTexts();
      const [low, high] = [0, 20].map((from) => Array.from({ length: 10 }, (_, i) => (1 + (from + i) / 10).toFixed(2)));
      expect(await scores()).toEqual([...low!, ...high!.reverse()]);
      expect(await page.locator("#gallery-count").innerText()).toContain(
        "30 images, here the 10 worst and the 10 best.",
      );
      await page.locator("#gallery-more").click();
      expect(await scores()).toHaveLength(30);
      expect(await page.evaluate(() => document.activeElement?.matches("#gallery .card:nth-child(21) button"))).toBe(
        true,
      );
    });
  });

  test("is walked through by the keyboard, in order, with the focus in sight", async () => {
    await visit(reportData(), async (page) => {
      const walked: (string | null)[] = [];
      for (let i = 0; i < 90; i++) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
          const element = document.activeElement!;
          if (element === document.body) return null;
          const shown = [element, element.nextElementSibling].some(
            (one) => one !== null && getComputedStyle(one).outlineStyle === "solid",
          );
          const name =
            element.id || element.getAttribute("href") || element.getAttribute("name") || element.tagName.toLowerCase();
          return `${name}${shown ? "" : " without an outline"}`;
        });
        if (focused === null) break;
        walked.push(focused);
      }
      expect(walked.filter((name) => name?.includes("without"))).toEqual([]);
      const stops = [
        "#content",
        "#images",
        "#reading",
        "filter",
        "class",
        "order",
        "overlay",
        "contour",
        "found",
        "button",
        "threshold-range",
        "summary",
      ];
      const places = stops.map((stop) => walked.indexOf(stop));
      expect(
        places.every((place, i) => place >= 0 && (i === 0 || place > places[i - 1]!)),
        `${stops.join()}: ${places.join()}`,
      ).toBe(true);
      // the gallery's images, the legend's two classes
      expect(walked.filter((name) => name === "button")).toHaveLength(20 + 2);
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
      expect(await page.evaluate(() => document.activeElement === document.querySelector("#gallery button"))).toBe(
        true,
      );
    });
  });

  test("redraws its charts in the colours of the scheme, and on paper in light ones", async () => {
    await visit(reportData(), async (page) => {
      const chart = page.locator("#image-curves canvas").first();
      const image = () => chart.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const light = await image();
      await page.emulateMedia({ colorScheme: "dark" });
      await expect.poll(image).not.toBe(light);
      await page.emulateMedia({ media: "print" });
      const widths = () =>
        chart.evaluate((canvas: HTMLCanvasElement) => canvas.width / canvas.getBoundingClientRect().width);
      await expect.poll(widths).toBeGreaterThan(2.9);
      expect(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--ink"))).toBe(
        "#191c20",
      );
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
      const tooWide = () =>
        page.evaluate(
          () =>
            [...document.querySelectorAll(".chart canvas")].filter(
              (canvas) => canvas.getBoundingClientRect().right > innerWidth,
            ).length,
        );
      await expect.poll(tooWide).toBe(0);
    });
  });

  test("shows undefined figures as a hyphen and says why a curve is missing", async () => {
    const none = { x: [], y: [] };
    const changes = {
      mean: nothing,
      classes: reportData().classes.map((c) => ({ ...c, metrics: nothing, intervals: null })),
      intervals: null,
      curves: reportData().curves.map((c) => ({ ...c, pixelRoc: none, pixelPr: none, pro: none })),
      losses: [],
    };
    await visit(reportData(changes), async (page) => {
      expect(await page.locator("[data-metric] .number").allInnerTexts()).toEqual(Array(5).fill("-"));
      expect(await page.locator("#class-table tbody td:nth-child(-n+8)").allInnerTexts()).toEqual(Array(14).fill("-"));
      expect(await page.locator("#pixel-curves .undefined").allInnerTexts()).toEqual(
        Array(3).fill("No masks, so no curve."),
      );
    });
  });

  test("works without any image", async () => {
    const changes = { classes: [], curves: [], losses: [], scores: [], samples: [] };
    await visit(reportData(changes), async (page) => {
      expect((await words(page)).toLowerCase()).toBe("has no defects to catch, has no good images to reject");
    });
  });

  test("shows hostile names as text and runs no script but its own", async () => {
    await visit(
      reportData({ title: HOSTILE, adapter: HOSTILE, configuration: [[HOSTILE, HOSTILE]] }, HOSTILE),
      async (page) => {
        expect(await page.locator("h1").innerText()).toContain("<img src=x");
        expect(await page.locator("img[src=x]").count()).toBe(0);
        expect(await page.evaluate(() => "hacked" in window)).toBe(false);
      },
    );
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

  test("shows what could not be seen in a name, and leaves other names as they are", async () => {
    const name = "gpj\u202e.\u200b\x1b 👩‍🔬 עברית __proto__";
    const shown = "gpj\\u202e.\\u200b\\u001b 👩‍🔬 עברית __proto__";
    await visit(reportData({ title: name, configuration: [["__proto__", name]] }, name), async (page) => {
      expect(await page.title()).toBe(shown);
      expect(await page.locator("h1").innerText()).toBe(shown);
      expect(await page.locator("#configuration").innerText()).toContain(shown);
      expect(await page.locator("#class-table").innerText()).toContain(shown);
      const everything = await page.evaluate(
        () =>
          document.body.innerText +
          [...document.querySelectorAll("[title], [aria-label]")]
            .map((e) => e.getAttribute("title") ?? e.getAttribute("aria-label"))
            .join(),
      );
      expect(everything).not.toMatch(/[\u202e\u200b\x1b]/);
    });
  });

  test("shows the layers of a sample in register", async () => {
    const raw = { width: 48, height: 32, channels: 4 as const };
    const url = async (rgba: Uint8Array) =>
      `data:image/png;base64,${(await sharp(rgba, { raw }).png().toBuffer()).toString("base64")}`;
    const map = Float32Array.from({ length: 48 * 48 }, (_, i) => (i % 48) / 47);
    const mask = Uint8Array.from(map.subarray(0, 48 * 32), (value) => (value > 0.5 ? 1 : 0));
    const placement = placementOf("letterbox", raw, { width: 48, height: 48 });
    const heat = await url(
      heatLayer({ map, size: { width: 48, height: 48 }, photograph: raw, placement, heat: [0.1, 1] }).data,
    );
    const contour = await url(maskContour(mask, 48, 32));
    const samples = reportData()
      .samples.slice(4, 5)
      .map((sample) => ({ ...sample, aspect: 48 / 32, picture: heat, heat, contour }));
    await visit(reportData({ samples }), async (page) => {
      const boxes = await page.locator("#gallery img").evaluateAll((images) =>
        images.map((image) => {
          const { x, y, width, height } = image.getBoundingClientRect();
          return [(image as HTMLImageElement).naturalWidth, x, y, width, height];
        }),
      );
      expect(boxes).toHaveLength(3);
      expect(boxes[0]?.[0]).toBe(48);
      expect(boxes[1]).toEqual(boxes[0]);
      expect(boxes[2]).toEqual(boxes[0]);
      const [, x, y, width, height] = boxes[0]!;
      expect(width! / height!).toBeCloseTo(1.5, 2);
      const frame = await page.locator("#gallery .frame").boundingBox();
      expect(x! - frame!.x).toBeCloseTo(0, 1);
      expect(y! - frame!.y).toBeCloseTo(frame!.height / 6, 1); // in the middle
    });
  });
});
