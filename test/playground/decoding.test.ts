// A page's decoder beside Node's: docs/browser.md has the figures.
import sharp, { type Sharp } from "sharp";
import { build } from "vite";
import { describe, expect, test } from "vitest";
import type * as Images from "../../src/browser/images.ts";
import { decodeImageBytes } from "../../src/node/images.ts";
import { executablePath, launch } from "./chromium.ts";

const HANGS = 900_000; // against waiting for ever, not to measure time
const [WIDTH, HEIGHT] = [60, 40];
const rgb = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => {
  const [x, y, c] = [Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH), i % 3];
  return 128 + 100 * Math.sin(x / (7 + 3 * c)) * Math.cos(y / (9 - 2 * c));
});
const source = () => sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const deep = sharp(
  Uint16Array.from(rgb, (value, i) => 256 * value + ((37 * i) % 256)),
  { raw: { width: WIDTH, height: HEIGHT, channels: 3 } },
).toColourspace("rgb16");

// Each kind with the largest difference of a sample, of 255.
const KINDS: Readonly<Record<string, readonly [most: number, make: () => Sharp]>> = {
  png: [0, () => source().png()],
  "png, palette": [0, () => source().png({ palette: true })],
  "png, grey": [0, () => source().greyscale().toColourspace("b-w").png()],
  "png, 16 bits": [1, () => deep.clone().png()],
  "png, half transparent": [1, () => source().ensureAlpha(0.5).png()],
  "png, Display P3": [1, () => source().withIccProfile("p3").png()],
  "webp, lossless": [0, () => source().webp({ lossless: true })],
  gif: [0, () => source().gif()],
  jpeg: [4, () => source().jpeg()],
  "jpeg, not subsampled": [4, () => source().jpeg({ chromaSubsampling: "4:4:4" })],
  ...Object.fromEntries(
    [2, 3, 4, 5, 6, 7, 8].map((orientation) => [
      `jpeg, orientation ${orientation}`,
      [4, () => source().withMetadata({ orientation }).jpeg()] as const,
    ]),
  ),
  "jpeg, CMYK": [4, () => source().toColourspace("cmyk").jpeg()],
};

describe.skipIf(executablePath === undefined)("a page decodes as Node does", { timeout: HANGS }, () => {
  test("every common kind, within a bound for each", async () => {
    const lib = { entry: "src/browser/images.ts", formats: ["iife" as const], name: "images" };
    const built = await build({ configFile: false, logLevel: "error", build: { lib, write: false } });
    const [{ output }] = built as unknown as [{ readonly output: readonly { readonly code: string }[] }];
    const browser = await launch(false);
    try {
      const page = await browser.newPage();
      await page.addScriptTag({ content: output[0]!.code });
      const differences: Record<string, number> = {};
      for (const [kind, [, make]] of Object.entries(KINDS)) {
        const file = await make().toBuffer();
        const node = await decodeImageBytes(file, kind);
        const seen = await page.evaluate(async (base64) => {
          const { images } = globalThis as unknown as { images: typeof Images };
          const { width, height, data } = await images.decodeImage(
            new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]),
          );
          return { width, height, data: [...data] };
        }, file.toString("base64"));
        expect([seen.width, seen.height]).toEqual([node.width, node.height]);
        differences[kind] = seen.data.reduce((most, value, i) => Math.max(most, Math.abs(value - node.data[i]!)), 0);
      }
      const beyond = Object.entries(differences).filter(([kind, difference]) => !(difference <= KINDS[kind]![0]));
      expect(beyond, JSON.stringify(differences)).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
