// The documentation's pictures as Chromium draws them.
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NARROW } from "../../tools/pictures/draw.ts";
import { PALETTE } from "../../tools/pictures/palette.ts";
import { PICTURES } from "../../tools/pictures/pictures.ts";
import { executablePath, launch } from "./chromium.ts";

describe.skipIf(!executablePath)("pictures in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch(false);
  });
  afterAll(() => browser?.close());

  /** Texts that leave a picture or overlap one another, as they are drawn. */
  const illegible = (page: Page, svg: string): Promise<string[]> =>
    page.evaluate((svg) => {
      const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
      if (parsed.querySelector("parsererror")) return ["it is no XML"];
      document.body.replaceChildren(document.adoptNode(parsed.documentElement));
      const frame = document.querySelector("svg")!.getBoundingClientRect();
      const texts = [...document.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()] as const);
      return texts.flatMap(([text, at], i) => {
        const words = text.textContent ?? "";
        const leaves = at.left < frame.left || at.right > frame.right || at.top < frame.top || at.bottom > frame.bottom;
        // lines of one paragraph lie closer than their boxes are high
        const inner = (box: DOMRect) => [box.top + 0.3 * box.height, box.bottom - 0.25 * box.height] as const;
        const others = texts.slice(i + 1).filter(([, other]) => {
          const [[top, bottom], [otherTop, otherBottom]] = [inner(at), inner(other)];
          return at.left < other.right && other.left < at.right && top < otherBottom && otherTop < bottom;
        });
        return [
          ...(leaves ? [`${words} leaves it`] : []),
          ...others.map(([other]) => `${words} and ${other.textContent} overlap`),
        ];
      });
    }, svg);

  /** The colour of a picture's ground where a page shows it, `#rrggbb`, and its height. */
  const shown = (
    page: Page,
    svg: string,
    width: number,
  ): Promise<{ readonly ground: string; readonly height: number }> =>
    page.evaluate(
      async ([uri, width]) => {
        const image = new Image();
        image.src = uri;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [width, Math.round((width * image.naturalHeight) / image.naturalWidth)];
        const context = canvas.getContext("2d")!;
        context.drawImage(image, 0, 0, canvas.width, canvas.height);
        const [red, green, blue] = context.getImageData(5, canvas.height >> 1, 1, 1).data;
        const hex = [red!, green!, blue!].map((level) => level.toString(16).padStart(2, "0")).join("");
        return { ground: `#${hex}`, height: canvas.height };
      },
      [`data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}`, width] as const,
    );

  test.each(["light", "dark"] as const)("have the colours of the scheme %s, and no text on another", async (scheme) => {
    const page = await browser.newPage({ colorScheme: scheme });
    const paper = PALETTE.paper[scheme === "light" ? 0 : 1];
    for (const name of Object.keys(PICTURES)) {
      const svg = readFileSync(`docs/pictures/${name}.svg`, "utf8");
      const { ground, height } = await shown(page, svg, NARROW);
      expect(ground, name).toBe(paper);
      expect(height, name).toBeGreaterThan(100);
      expect(await illegible(page, svg), name).toEqual([]);
    }
    await page.close();
  });
});
