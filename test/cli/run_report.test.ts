import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { EvaluatedRun } from "../../src/cli/evaluate/evaluated.ts";
import { runReport } from "../../src/cli/evaluate/run_report.ts";
import type { ReportData } from "../../src/cli/report/report.ts";
import { eachMetric } from "../../src/metrics/metrics.ts";
import type { Detector } from "../../src/detection/detector.ts";
import { RESIZES, placementOf, type Resize } from "../../src/io/placement.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const SIZE = 64;
// A photograph of 96 x 48 with a defect of 12 x 12 at (54, 18): in its centre square, so that every resize shows it.
const [WIDTH, HEIGHT] = [96, 48];
const DEFECT = { left: 54, top: 18, width: 12, height: 12 };
const isDefect = (x: number, y: number) =>
  x >= DEFECT.left && x < DEFECT.left + DEFECT.width && y >= DEFECT.top && y < DEFECT.top + DEFECT.height;

const picture = (of: (marked: boolean) => number) => {
  const grey = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => of(isDefect(i % WIDTH, Math.floor(i / WIDTH))));
  return sharp(grey, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .png()
    .toBuffer();
};
await mkdir(join(folder, "masks"));
await writeFile(join(folder, "photo.png"), await picture((marked) => (marked ? 255 : 40)));
await writeFile(join(folder, "masks", "photo.png"), await picture((marked) => (marked ? 255 : 0)));

/** A detector whose map is 16 where the photograph is white, wherever its resize puts that, and 1 elsewhere. */
function detectorOf(resize: Resize): Detector {
  const size = { width: SIZE, height: SIZE };
  const calibration = { falseReject: 0.01, threshold: 4, typical: 2, pixelThreshold: 4, classes: {}, heat: [2, 16] };
  return {
    config: {
      backbone: { name: "embedded", weights: null, padding: null },
      assembly: { stages: ["stage1"] },
      input: { size: SIZE, resize },
      method: { name: "grad", config: {} },
      calibration,
    },
    summary: [["Decoder", "tiny, 1 block"]],
    device: { adapter: { description: "none" } },
    placementOf: (picture: { width: number; height: number }) => placementOf(resize, picture, size),
    inspect: () => {
      const photograph = { width: WIDTH, height: HEIGHT };
      const placement = placementOf(resize, photograph, size);
      const { source, target } = placement;
      const map = new Float32Array(SIZE * SIZE).fill(1);
      for (let y = 0; y < target.height; y++) {
        for (let x = 0; x < target.width; x++) {
          const [atX, atY] = [
            source.left + ((x + 0.5) * source.width) / target.width,
            source.top + ((y + 0.5) * source.height) / target.height,
          ];
          if (isDefect(atX, atY)) map[(target.top + y) * SIZE + target.left + x] = 16;
        }
      }
      return Promise.resolve([
        { score: 8, map, size: { width: SIZE, height: SIZE }, ...photograph, placement, heat: calibration.heat },
      ]);
    },
  } as unknown as Detector;
}

/** The box of a layer's bright, opaque or white pixels, as shares of its extent. */
async function boxOf(url: string, is: (r: number, g: number, b: number, a: number) => boolean) {
  const { data, info } = await sharp(Buffer.from(url.split(",")[1]!, "base64"))
    .ensureAlpha()
    .toColourspace("srgb")
    .raw()
    .toBuffer({ resolveWithObject: true });
  let [left, top, right, bottom] = [1, 1, 0, 0];
  for (let i = 0; i < info.width * info.height; i++) {
    if (!is(data[4 * i]!, data[4 * i + 1]!, data[4 * i + 2]!, data[4 * i + 3]!)) continue;
    const [x, y] = [i % info.width, Math.floor(i / info.width)];
    [left, top] = [Math.min(left, x / info.width), Math.min(top, y / info.height)];
    [right, bottom] = [Math.max(right, (x + 1) / info.width), Math.max(bottom, (y + 1) / info.height)];
  }
  return [left, top, right, bottom];
}

const MODEL_SHA256 = "5".repeat(64);
const none = { x: new Float64Array(), y: new Float64Array() };

async function reportOf(resize: Resize, gone: readonly string[] = []): Promise<ReportData> {
  const lost = gone.map((path) => ({ item: { path, defect: "good", defective: false, masks: [] }, score: 1 }));
  const item = { path: "photo.png", defect: "spot", defective: true, masks: [join("masks", "photo.png")] };
  const undefinedOnes = eachMetric(() => null);
  const evaluated: EvaluatedRun = {
    classes: [
      {
        data: { name: "part", train: [], test: [item] },
        images: [{ item, score: 8 }, ...lost],
        metrics: undefinedOnes,
        errors: undefinedOnes,
        intervals: null,
        resampled: null,
        method: "exact",
        pixels: 0,
        gap: "no good test images",
        curves: { roc: none, pr: none, pixelRoc: none, pixelPr: none, pro: none },
      },
    ],
    mean: undefinedOnes,
    intervals: null,
    skipped: [],
    seconds: 1,
  };
  const html = await runReport({
    title: "a run",
    detector: detectorOf(resize),
    modelPath: join(folder, "model"),
    modelSha256: MODEL_SHA256,
    root: folder,
    format: "folder",
    evaluated,
    region: null,
    losses: [],
    imageSeconds: null,
    trainingSeconds: null,
  });
  return JSON.parse(/id="report-data">([^<]*)</.exec(html)![1]!) as ReportData;
}

test.each(RESIZES)("the layers of an image are in register, in the photograph's shape: %s", async (resize) => {
  const {
    samples: [sample],
  } = await reportOf(resize);
  const { aspect, picture, heat, map, contour } = sample!;
  expect(aspect).toBe(resize === "crop" ? 1 : 2); // the centre of 48 x 48, or all of it
  const [photograph, ...layers] = await Promise.all([
    boxOf(picture, (r) => r > 150),
    boxOf(heat, (_r, _g, _b, a) => a > 0),
    boxOf(map, (r) => r > 150),
    boxOf(contour!, (r, _g, _b, a) => r === 255 && a === 255), // a line of one pixel around it
  ]);
  const shown = resize === "crop" ? { left: 24, width: 48 } : { left: 0, width: WIDTH };
  const want = [
    (DEFECT.left - shown.left) / shown.width,
    DEFECT.top / HEIGHT,
    (DEFECT.left + DEFECT.width - shown.left) / shown.width,
    (DEFECT.top + DEFECT.height) / HEIGHT,
  ];
  for (const box of [photograph, ...layers])
    box.forEach((edge, i) => expect(Math.abs(edge - want[i]!)).toBeLessThan(0.035));
});

test("a report names its model by hash, and what it was read from", async () => {
  const { configuration, seconds } = await reportOf("stretch");
  const said = new Map(configuration);
  expect(said.get("Model's SHA-256")).toBe(MODEL_SHA256);
  expect(said.get("Dataset")).toBe(`${basename(folder)}, read as folder`);
  expect(said.get("Input")).toBe("64 x 64 pixels, stretch");
  expect(seconds).toEqual({ training: null, evaluation: 1, images: null });
});

test("an image that has vanished, or become unreadable, before the report is missing in its gallery alone, and named", async () => {
  await writeFile(join(folder, "damaged.png"), "no image");
  const { samples, scores, configuration } = await reportOf("stretch", ["vanished.png", "damaged.png"]);
  expect(samples.map(({ image }) => image)).toEqual(["photo.png"]);
  expect(scores).toHaveLength(3);
  const missing = configuration.filter(([name]) => name === "Not in the gallery").map(([, reason]) => reason);
  expect(missing.sort()).toEqual([
    `cannot read ${join(folder, "damaged.png")}: it is not an image of a known format`,
    `cannot read ${join(folder, "vanished.png")}: it does not exist`,
  ]);
});
