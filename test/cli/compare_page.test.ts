import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareResults, type Comparison } from "../../src/cli/compare/comparison.ts";
import type { GalleryImage } from "../../src/cli/compare/gallery.ts";
import { comparePage } from "../../src/cli/compare/page/compare_page.ts";
import { entrant } from "../harness/comparison.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const HOSTILE = `</script><img src=x onerror="window.hacked=1">`;
const DOT =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const comparison: Comparison = compareResults(
  [
    entrant("slow", [{ values: { plate: 0.95, [HOSTILE]: 0.9 }, seconds: 50 }], "Slow"),
    entrant("quick", [{ values: { plate: 0.6, [HOSTILE]: 0.99 }, seconds: 0.5 }], "Quick"),
    entrant("middling", [{ values: { plate: 0.7, [HOSTILE]: 0.7 }, seconds: 3 }], "Middling"),
    entrant("broken", [], "Broken"),
  ],
  {
    root: `/somewhere/${HOSTILE.replaceAll("/", "")}`,
    format: "mvtec",
    classes: ["plate", HOSTILE].map((name) => ({ name, train: [], test: [] })),
    adapter: "an adapter",
    seeds: [0],
    resamples: 3,
    failures: [{ method: "broken", seed: null, reason: `out of memory ${HOSTILE}` }],
    runOf: (method) => `runs/${method}`,
  },
);
const gallery: readonly GalleryImage[] = [
  {
    className: "plate",
    path: `${HOSTILE}.png`,
    defect: "cut",
    defective: true,
    aspect: 1.5,
    picture: DOT,
    contour: DOT,
    views: [
      { method: "slow", score: 0.2, heat: DOT, worst: true },
      { method: "quick", score: 0.7, heat: DOT, worst: false },
    ],
  },
];
const html = comparePage(comparison, gallery);

describe("the page of a comparison", () => {
  test("names no external address, and allows exactly its own script", () => {
    expect(html).not.toMatch(/https?:/i);
    expect(html).not.toMatch(/@import/i);
    const addresses = [...html.matchAll(/\s(?:src|href|action|srcset)\s*=\s*["']?([^"'\s>]*)/g)].map(([, one]) => one!);
    // "x" is in the hostile names, which are text
    expect(addresses.filter((address) => !/^(data:|#|x$)/.test(address))).toEqual([]);
    const [script, ...others] = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text!);
    expect(others).toEqual([]);
    const hash = createHash("sha256").update(script!, "utf8").digest("base64");
    expect(/http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)![1]).toContain(
      `script-src 'sha256-${hash}'`,
    );
  });

  test("is small without its pictures, and the same for the same comparison", () => {
    expect(html.length).toBeLessThan(120e3);
    expect(comparePage(comparison, gallery)).toBe(html);
    expect(comparePage(comparison, [])).not.toContain("Worst images");
  });

  test("has each method's figures, costs, suitability, and a reason where it failed", () => {
    expect(html).toContain('data-value="0.925"'); // the mean of Slow
    expect(html).toContain("It suits parts that Quick likes.");
    expect(html).toContain("failed: out of memory &#60;/script&#62;");
    expect(html).toContain("Model of seed 0: runs/slow, for bigrid predict and eval.");
    expect(html.match(/<figure class="dots">/g)).toHaveLength(7);
    expect(html.match(/<figure class="scatter">/g)).toHaveLength(4);
    const drawn = html.slice(html.indexOf('id="figures"'), html.indexOf('id="reading"'));
    expect(/NaN|undefined/.exec(drawn)).toBeNull();
  });
});

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
const suite = `the page in a browser${executablePath === undefined ? " (skipped: no Chromium in /usr/bin)" : ""}`;

describe.skipIf(executablePath === undefined)(suite, () => {
  let browser: Browser;
  const address = pathToFileURL(join(folder, "compare.html")).href;

  beforeAll(async () => {
    await writeFile(join(folder, "compare.html"), html);
    browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
  });
  afterAll(() => browser.close());

  async function opened(
    width: number,
    colorScheme: "light" | "dark" = "light",
  ): Promise<{ page: Page; errors: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const errors: string[] = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", ({ message }) => errors.push(message));
    page.on("request", (request) => {
      if (!/^(file|data):/.test(request.url())) errors.push(`request to ${request.url()}`);
    });
    await page.goto(address);
    return { page, errors };
  }

  const namesOf = (page: Page): Promise<string[]> =>
    page.locator("#results tbody:not([hidden]) tr:not(.part) th").allInnerTexts();
  const press = (page: Page, title: string, nth = 0) =>
    page.locator("#results thead button", { hasText: title }).nth(nth).click();

  test("sorts by any column, either way, failed methods last, and tells who cannot see it", async () => {
    const { page, errors } = await opened(1280);
    expect(await namesOf(page)).toEqual(["Slow", "Quick", "Middling", "Broken"]);
    expect(await page.locator('th[aria-sort="descending"]').count()).toBe(1);
    await press(page, "Training");
    expect(await namesOf(page)).toEqual(["Quick", "Middling", "Slow", "Broken"]);
    await press(page, "Training");
    expect(await namesOf(page)).toEqual(["Slow", "Middling", "Quick", "Broken"]);
    expect(await page.locator("#sorted").innerText()).toBe("Sorted by training time, descending.");
    expect(await page.locator('th[aria-sort="descending"]').innerText()).toBe("Training");
    // by the keyboard alone
    await page.locator("#results thead button", { hasText: "Method" }).focus();
    await page.keyboard.press("Enter");
    expect(await namesOf(page)).toEqual(["Broken", "Middling", "Quick", "Slow"]);
    await page.locator("#class-choice").selectOption({ index: 2 });
    await press(page, "AUROC");
    expect(await namesOf(page)).toEqual(["Quick", "Slow", "Middling", "Broken"]);
    await page.locator("#class-choice").selectOption("all");
    expect(await page.locator("#results tbody:not([hidden])").count()).toBe(3);
    expect(await page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined();
    expect(errors).toEqual([]);
    await page.close();
  });

  test("fits windows of 400 pixels, in the dark too, and prints every class", async () => {
    for (const scheme of ["light", "dark"] as const) {
      const { page, errors } = await opened(400, scheme);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
      const paper = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      expect(paper).toBe(scheme === "dark" ? "rgb(18, 20, 22)" : "rgb(251, 251, 250)");
      await page.emulateMedia({ media: "print" });
      await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
      expect(await page.locator("#results tbody:visible").count()).toBe(3);
      await page.evaluate(() => dispatchEvent(new Event("afterprint")));
      expect(await page.locator("#results tbody:visible").count()).toBe(1);
      expect(errors).toEqual([]);
      await page.close();
    }
  });

  test("labels of near points do not cover one another", async () => {
    const { page } = await opened(1280);
    for (const plot of await page.locator(".plot").all()) {
      const boxes = await Promise.all(
        (await plot.locator(".point").all()).map(async (label) => (await label.boundingBox())!),
      );
      for (const [i, a] of boxes.entries()) {
        for (const b of boxes.slice(i + 1)) {
          const isApart =
            a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y + 1 || b.y + b.height <= a.y + 1;
          expect(isApart, JSON.stringify([a, b])).toBe(true);
        }
      }
    }
    await page.close();
  });
});
