// Progress of large photographs in the pipeline of inspections.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Detector } from "../../src/detection/detector.ts";
import type { TileProgress } from "../../src/detection/inspection.ts";
import { encodePng } from "../../src/node/images.ts";
import { KeptDetector } from "../../src/node/inspection/kept_detector.ts";
import { inspectImages } from "../../src/node/inspection/pipeline.ts";
import { toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const BATCH = 4;
const SIDES = { large: 192, small: 64 };
for (const [name, side] of Object.entries(SIDES)) {
  const { data, width, height } = madeUpPicture(side, 1);
  await writeFile(join(folder, `${name}.png`), await encodePng(data, width, height));
}

/** Inspects the photographs, and says what happened in which order. */
async function eventsOf(detector: Detector): Promise<(string | TileProgress)[]> {
  const events: (string | TileProgress)[] = [];
  const open = (): Promise<Detector> => Promise.reject(new Error("the device was lost"));
  const kept = new KeptDetector(detector, open, BATCH, false, () => undefined);
  const items = Object.keys(SIDES).map((name) => ({ image: join(folder, `${name}.png`), picture: `${name}.png` }));
  const { calibration } = detector.config;
  const { threshold, pixelThreshold } = calibration;
  const limits = { good: calibration, threshold, pixelThreshold, minArea: null };
  const options = { ...limits, region: null, pictures: new Map(), batch: BATCH };
  for await (const batch of inspectImages(kept, items, {
    ...options,
    onProgress: (progress) => events.push(progress),
  }))
    events.push(...batch.map(({ item, result }) => `${item.picture} ${result.verdict}`));
  return events;
}

const whole = await madeUpDetector(device, 64, { decoder: "tiny" });

test("comes after each batch of tiles, before the image is done", async () => {
  const tensors = new Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>();
  for (const [name, tensor] of whole.tensors()) tensors.set(name, { shape: tensor.shape, data: await toArray(tensor) });
  const config = { ...whole.config, input: { ...whole.config.input, tiles: { tile: 64, overlap: 0 } } };
  const detector = await Detector.restore(device, config, tensors, "tiled", null);
  const verdict = expect.stringMatching(/^(large|small)\.png (good|defective)$/) as string;
  expect(await eventsOf(detector)).toEqual([
    { image: 0, done: 4, total: 9 },
    { image: 0, done: 8, total: 9 },
    { image: 0, done: 9, total: 9 },
    verdict,
    { image: 0, done: 1, total: 1 },
    verdict,
  ]);
});

test("does not come without tiles", async () => {
  expect(await eventsOf(whole)).toEqual([expect.any(String), expect.any(String)]);
});
