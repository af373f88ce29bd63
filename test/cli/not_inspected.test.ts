// Images that a detector cannot inspect: never good, and never the end of the others.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { reportSkipped } from "../../src/cli/predict/runs.ts";
import { evaluateRun } from "../../src/cli/evaluate/evaluate_run.ts";
import { inspectImages, type InspectionOptions } from "../../src/node/inspection/pipeline.ts";
import { KeptDetector } from "../../src/node/inspection/kept_detector.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { decodeDetector } from "../../src/detection/model_file.ts";
import type { Detector } from "../../src/detection/detector.ts";
import { readDataset } from "../../src/node/dataset.ts";
import { writeFileAtomic } from "../../src/node/files/files.ts";
import { encodePng } from "../../src/node/images.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { device } from "../harness/device.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const file = new Uint8Array(await readFile(new URL("../node/fixtures/version3.safetensors", import.meta.url)));
const { tensors, metadata } = decodeSafetensors(file, "model");
const sound = await decodeDetector(device, file, "model");
const broken = await decodeDetector(
  device,
  encodeSafetensors({
    tensors: new Map(
      [...tensors].map(([name, tensor]) => {
        const bytes = name.startsWith("normal.decoder.out")
          ? new Uint8Array(new Float32Array(tensor.bytes.length / 4).fill(3e38).buffer)
          : tensor.bytes;
        return [name, { ...tensor, bytes }];
      }),
    ),
    metadata,
  }),
  "broken",
);

const root = await temporaryFolder();
const paths = ["train/good/0.png", "test/good/1.png", "test/good/2.png", "test/dent/3.png", "test/dent/4.png"];
for (const [i, path] of paths.entries()) {
  const { data, width, height } = madeUpPicture(64, i + 1);
  await mkdir(join(root, path, ".."), { recursive: true });
  await writeFileAtomic(join(root, path), await encodePng(data, width, height));
}
const dataset = await readDataset(root, undefined);

afterEach(() => {
  process.exitCode = undefined;
});

/** A detector that cannot inspect the nth image that it is shown. */
function failingAt(nth: number): Detector {
  let shown = 0;
  const inspectEach: Detector["inspectEach"] = async (images) =>
    (await sound.inspectEach(images)).map((inspection) =>
      shown++ === nth ? { reason: "its score is NaN" } : inspection,
    );
  return new Proxy(sound, {
    get: (of, key) => {
      const value: unknown = key === "inspectEach" ? inspectEach : Reflect.get(of, key, of);
      return typeof value === "function" ? (value as () => unknown).bind(of) : value;
    },
  });
}

test("eval names an image that cannot be inspected, measures the others, and ends with 1", async () => {
  const options = { strict: false, region: null, resamples: 0 };
  const {
    classes: [evaluated],
    skipped,
  } = await evaluateRun(failingAt(1), root, dataset, options);
  expect(skipped).toHaveLength(1);
  expect(skipped[0]!.reason).toBe(`${join(root, skipped[0]!.image)} cannot be inspected: its score is NaN`);
  expect(evaluated!.images).toHaveLength(3);
  expect(evaluated!.metrics.imageAuroc).not.toBeNull();
  expect(process.exitCode).toBe(1);
  await expect(evaluateRun(failingAt(1), root, dataset, { ...options, strict: true })).rejects.toThrow(InputError);
});

test("eval names an image whose mask has vanished or cannot be read, and measures the others", async () => {
  const masks = ["vanished_mask.png", "damaged_mask.png"];
  await writeFile(join(root, masks[1]!), "no image");
  for (const mask of masks) {
    const classes = dataset.classes.map((data) => ({
      ...data,
      test: data.test.map((item) => ({ ...item, masks: item.path === "test/dent/3.png" ? [mask] : [] })),
    }));
    const {
      classes: [evaluated],
      skipped,
    } = await evaluateRun(sound, root, { ...dataset, classes }, { strict: false, region: null, resamples: 0 });
    expect(skipped).toEqual([
      { image: "test/dent/3.png", reason: expect.stringContaining(`cannot read ${join(root, mask)}: `) as string },
    ]);
    expect(evaluated!.images).toHaveLength(3);
    expect(evaluated!.metrics.imageAuroc).not.toBeNull();
  }
});

test("eval refuses a model that can inspect none", async () => {
  await expect(evaluateRun(broken, root, dataset, { strict: false, region: null })).rejects.toThrow(
    /none of the 4 test images of .* could be evaluated: .* cannot be inspected: its/,
  );
});

test.each([["good"], ["dent"]])(
  "eval of %s images alone says which figures there are none of, and so does that of one image",
  async (kind) => {
    for (const most of [2, 1]) {
      const classes = dataset.classes.map((data) => ({
        ...data,
        test: data.test.filter(({ path }) => path.includes(`/${kind}/`)).slice(0, most),
      }));
      const {
        classes: [evaluated],
      } = await evaluateRun(sound, root, { ...dataset, classes }, { strict: false, region: null, resamples: 10 });
      expect(evaluated!.images).toHaveLength(most);
      expect(evaluated!.metrics.imageAuroc).toBeNull();
      expect(evaluated!.gap).toMatch(kind === "good" ? "no defective test images" : "no good test images");
    }
  },
);

test("predict gives an image that cannot be inspected a row with the reason, the others theirs, and ends with 1", async () => {
  const options: InspectionOptions = {
    good: sound.config.calibration,
    threshold: 1e9,
    pixelThreshold: 1e9,
    minArea: null,
    region: null,
    pictures: new Map(),
    batch: 2,
  };
  const items = paths.map((path) => ({ image: join(root, path), picture: path }));
  await writeFileAtomic(join(root, "damaged.png"), "no picture");
  const resultsOf = async (detector: Detector, strict = false, images = items) => {
    const results = [];
    const kept = new KeptDetector(
      detector,
      () => Promise.resolve(detector),
      2,
      false,
      () => undefined,
    );
    for await (const batch of inspectImages(kept, images, options)) {
      reportSkipped(batch, strict);
      results.push(...batch.map(({ result }) => result));
    }
    return results;
  };
  const damaged = { image: join(root, "damaged.png"), picture: "damaged.png" };
  expect((await resultsOf(sound, false, [damaged])).map(({ verdict }) => verdict)).toEqual(["unreadable"]);
  expect(process.exitCode).toBeUndefined(); // the file's fault, not the model's
  const results = await resultsOf(failingAt(2));
  expect(results.map(({ verdict }) => verdict)).toEqual(["good", "good", "unreadable", "good", "good"]);
  expect(results[2]).toEqual({
    image: items[2]!.image,
    verdict: "unreadable",
    reason: `${items[2]!.image} cannot be inspected: its score is NaN`,
  });
  expect(process.exitCode).toBe(1);
  expect((await resultsOf(broken)).map(({ verdict }) => verdict)).toEqual(paths.map(() => "unreadable"));
  await expect(resultsOf(broken, true)).rejects.toThrow(InputError);
});
