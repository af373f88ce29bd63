// The page of bigrid serve: a model of several classes offers them, and the one that is chosen is asked for.
import { expect, test } from "vitest";
import { pageAnswer } from "../../src/cli/serve/page/page.ts";
import { executablePath, launch } from "../playground/chromium.ts";

const ORIGIN = "http://127.0.0.1"; // answered by the test itself
const MODELS = [
  { name: "alone", classes: ["screw"] },
  { name: "parts", classes: ["bolt", "two  spaces"] },
];

const name = executablePath === undefined ? "classes (skipped: no Chromium)" : "classes are offered and asked for";
test.skipIf(executablePath === undefined)(
  name,
  async () => {
    const browser = await launch(false);
    try {
      const page = await browser.newPage();
      const asked: string[] = [];
      await page.route(`${ORIGIN}/**`, async (route) => {
        const { pathname, searchParams } = new URL(route.request().url());
        if (pathname === "/") {
          const { body, type, headers } = pageAnswer();
          return route.fulfill({ contentType: type, body, headers: headers as Record<string, string> });
        }
        if (pathname === "/v1/models") return route.fulfill({ json: { default: "alone", models: MODELS } });
        asked.push([...searchParams].map((parameter) => parameter.join("=")).join("&"));
        return route.fulfill({ json: { threshold: 1, pixelThreshold: 1, images: [], skipped: [] } });
      });
      const choose = async (): Promise<void> => {
        const answered = page.waitForResponse(/inspect/);
        await page.setInputFiles("#files", { name: "a.png", mimeType: "image/png", buffer: Buffer.from("a") });
        await answered;
      };
      await page.goto(`${ORIGIN}/`);
      await page.waitForFunction(() => document.querySelectorAll("#model option").length === 2);
      const field = page.locator("#class-field");
      expect(await field.isVisible()).toBe(false);
      await choose();
      await page.selectOption("#model", "parts");
      expect(await field.isVisible()).toBe(true);
      await choose();
      await page.selectOption("#class", "two  spaces");
      await choose();
      await page.selectOption("#model", "alone");
      expect(await field.isVisible()).toBe(false);
      await choose();
      expect(asked).toEqual([
        "heat=png&threshold=0.5&model=alone",
        "heat=png&threshold=0.5&model=parts",
        "heat=png&threshold=0.5&model=parts&class=two  spaces",
        "heat=png&threshold=0.5&model=alone",
      ]);
    } finally {
      await browser.close();
    }
  },
  120_000,
);
