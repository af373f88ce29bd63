// The page that `npm run bench -- --page` writes, in Chromium.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pageOf, type Measurements } from "../../bench/roofline/page.ts";
import kernels from "../../bench/results/kernels.llvmpipe.json";
import grad from "../../bench/results/grad.llvmpipe.json";
import { temporaryFolder } from "../harness/temporary.ts";
import { complaintsOf, executablePath, launch, wordsUnderPointer } from "./chromium.ts";

const suite = executablePath === undefined ? "the roofline page (skipped: no Chromium)" : "the roofline page";

describe.skipIf(executablePath === undefined)(suite, () => {
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    const file = join(await temporaryFolder(), "roofline.html");
    await writeFile(file, await pageOf([kernels, grad] as readonly unknown[] as readonly Measurements[]));
    url = pathToFileURL(file).href;
    browser = await launch(false);
  });
  afterAll(() => browser.close());

  test.each([
    ["light", 1100],
    ["dark", 1100],
    ["light", 400],
  ] as const)("is drawn in %s at %i pixels, asks nothing of anybody, and names points", async (colorScheme, width) => {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    const complaints = complaintsOf(page, url);
    await page.goto(url);
    expect(await page.locator("section [role=img]").count()).toBe(2);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    const [back, ink] = await page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map((text) => Number(/\d+/.exec(text)![0])); // of red
    });
    expect(back! > ink!).toBe(colorScheme === "light");
    expect(await wordsUnderPointer(page, "section")).toMatch(
      /^\w+\.\w+[^]* ms: .* GB\/s\n.* % of the roof of (memory|arithmetic)$/,
    );
    expect(await page.locator("tr.marked").count()).toBe(1);
    const tip = (await page.locator(".roofline-tip").first().boundingBox())!;
    expect(tip.x >= 0 && tip.x + tip.width <= width && tip.width > tip.height).toBe(true);
    // The canvas has the colours of several groups: points were drawn.
    const drawn = () =>
      page
        .locator("canvas")
        .first()
        .evaluate((canvas) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const { data } = (canvas as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height);
          let coloured = 0;
          for (let i = 0; i < data.length; i += 4)
            if (Math.max(data[i]!, data[i + 1]!, data[i + 2]!) - Math.min(data[i]!, data[i + 1]!, data[i + 2]!) > 60)
              coloured++;
          return coloured;
        });
    const before = await drawn();
    expect(before).toBeGreaterThan(1000);
    await page.click(".roofline-legend button"); // products are hidden
    expect(await page.getAttribute(".roofline-legend button", "aria-pressed")).toBe("false");
    expect(await drawn()).toBeLessThan(before);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
