import { describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { decodeDetector, encodeDetector } from "../../src/detection/model_file.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import { PictureRegion } from "../../src/detection/region.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { Training } from "../../src/detection/training.ts";
import { device } from "../harness/device.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { inputsOf } from "../harness/inputs.ts";

const SIZE = 64;
const [scene] = synthesise({ size: SIZE, train: 4, good: 1, defective: 1, seed: 1 }) as [
  ReturnType<typeof synthesise>[number],
];
const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }): DecodedImage => ({
  width: SIZE,
  height: SIZE,
  data: rgba,
});

async function* good(): AsyncGenerator<TrainingImage> {
  for (const image of scene.train) yield { className: "weave", image: pictureOf(image) };
}

const options = {
  backbone: "embedded",
  form: "published",
  decoder: "tiny",
  inputSize: SIZE,
  epochsAbnormal: 1,
  epochsNormal: 1,
  batch: 4,
  seed: 1,
  folds: 0,
} as const;
const training = await Training.begin(device, good(), options);
for await (const _step of training.fit());
const detector = await training.finish();
const pictures = scene.test.map(pictureOf);

test("a map has the input's size, its maximum is the peak, and scores do not depend on the batch", async () => {
  const together = await detector.inspect(inputsOf(pictures));
  for (const [i, picture] of pictures.entries()) {
    const [alone] = await detector.inspect(inputsOf([picture]));
    expect(together[i]).toEqual(alone);
    expect(alone!.map).toHaveLength(SIZE * SIZE);
    expect(Math.max(...alone!.map)).toBe(alone!.peak);
    expect(alone!.score <= alone!.peak).toBe(true);
  }
});

describe("where only a part of a picture counts", () => {
  const half = new Uint8Array(SIZE * SIZE).map((_, i) => (i % SIZE < SIZE / 2 ? 1 : 0));
  const square = { width: SIZE, height: SIZE };

  test("the map is 0 outside it, and the score and peak are of it alone", async () => {
    const [part, whole] = await detector.inspect(
      inputsOf([pictures[1]!, pictures[1]!], [new PictureRegion(half, square), null]),
    );
    const [alone] = await detector.inspect(inputsOf([pictures[1]!]));
    part!.map.forEach((value, i) => expect(value > 0).toBe(half[i] === 1));
    expect(Math.max(...part!.map)).toBe(part!.peak);
    expect(part!.score <= part!.peak).toBe(true);
    expect(Math.abs(whole!.score / alone!.score - 1)).toBeLessThan(1e-6); // the same sums, divided once more
  });

  test("each pixel is smoothed with those that count around it, and no others", async () => {
    // 7 x 7 are smoothed: a and b see each other
    const [a, b, far] = [32 * SIZE + 32, 32 * SIZE + 34, 32 * SIZE + 50] as const;
    // the same whatever counts, so that its map is too
    const even = { ...square, data: new Uint8Array(4 * SIZE * SIZE).fill(90) };
    const only = (...pixels: number[]) =>
      new PictureRegion(
        new Uint8Array(SIZE * SIZE).map((_, i) => (pixels.includes(i) ? 1 : 0)),
        square,
      );
    const masks = [only(a), only(b), only(far), only(a, b, far)];
    const [alone, other, apart, together] = (
      await detector.inspect(
        inputsOf(
          masks.map(() => even),
          masks,
        ),
      )
    ).map(({ map }) => map);
    const mean = (alone![a]! + other![b]!) / 2;
    expect(alone![a]).not.toBe(other![b]);
    expect(together![a]! / mean).toBeCloseTo(1, 5);
    expect(together![b]! / mean).toBeCloseTo(1, 5);
    expect(together![far]! / apart![far]!).toBeCloseTo(1, 5);
  });

  test("a part smaller than a window is scored by its own mean", async () => {
    const dot = new Uint8Array(SIZE * SIZE);
    for (const i of [0, 1, SIZE, SIZE + 1]) dot[(SIZE / 2) * SIZE + SIZE / 2 + i] = 1;
    const [{ map, score }] = (await detector.inspect(inputsOf([pictures[1]!], [new PictureRegion(dot, square)]))) as [
      Inspection,
    ];
    const mean = map.reduce((sum, value) => sum + value, 0) / 4;
    expect(score / mean).toBeCloseTo(1, 6);
  });

  test("another size, or nothing that is left in the map, is refused", async () => {
    await expect(
      detector.inspect(
        inputsOf([pictures[0]!], [new PictureRegion(half.slice(SIZE), { width: SIZE, height: SIZE - 1 })]),
      ),
    ).rejects.toThrow("64 x 63 pixels");
    const large = { width: 9 * SIZE, height: SIZE, data: new Uint8Array(36 * SIZE * SIZE).fill(90) };
    const between = new PictureRegion(
      new Uint8Array(9 * SIZE * SIZE).map((_, i) => (i === 0 ? 1 : 0)),
      large,
    ); // of no pixel of the map the nearest
    await expect(detector.inspect(inputsOf([large], [between]))).rejects.toThrow(
      "the region of image 0 has no pixel in its map of 64 x 64",
    );
  });

  const side = 150; // resized, so that filters reach across the border
  const shapes: Readonly<Record<string, (u: number, v: number) => boolean>> = {
    "a half": (u) => u < 0.5,
    "a rectangle": (u, v) => Math.abs(u - 0.4) < 0.22 && Math.abs(v - 0.55) < 0.18,
    "a disk": (u, v) => Math.hypot(u - 0.5, v - 0.5) < 0.4,
    "all but a disk": (u, v) => Math.hypot(u - 0.6, v - 0.4) > 0.15,
    "a frame": (u, v) => Math.max(Math.abs(u - 0.5), Math.abs(v - 0.5)) > 0.3,
  };
  test.each(Object.keys(shapes))("whatever is outside %s, score, peak and map have the same bits", async (name) => {
    const counted = Uint8Array.from({ length: side * side }, (_, i) =>
      shapes[name]!(((i % side) + 0.5) / side, (Math.floor(i / side) + 0.5) / side) ? 1 : 0,
    );
    const region = new PictureRegion(counted, { width: side, height: side });
    const inside = madeUpPicture(side, 1);
    const seen = await Promise.all(
      [madeUpPicture(side, 2), madeUpPicture(side, 3), { ...inside, data: new Uint8Array(4 * side * side) }].map(
        async ({ data }) => {
          const mixed = { ...inside, data: data.map((value, i) => (counted[i >> 2] ? inside.data[i]! : value)) };
          const [whole, part] = await detector.inspect(inputsOf([mixed, mixed], [null, region]));
          return { whole, part };
        },
      ),
    );
    for (const { whole, part } of seen.slice(1)) {
      expect(part).toEqual(seen[0]!.part);
      expect(whole!.score).not.toBe(seen[0]!.whole!.score);
    }
  });
});

test("inspecting leaves no memory behind", async () => {
  const all = new PictureRegion(new Uint8Array(SIZE * SIZE).fill(1), { width: SIZE, height: SIZE });
  await detector.inspect(inputsOf(pictures, [all]));
  const before = device.memory().bytes;
  await detector.inspect(inputsOf(pictures, [all]));
  expect(device.memory().bytes).toBe(before);
});

test("a detector read from its file scores to the same bits", async () => {
  const file = await encodeDetector(detector);
  expect(await encodeDetector(detector)).toEqual(file);
  const again = await decodeDetector(device, file, "model");
  expect(again.config).toEqual(detector.config);
  expect(await again.inspect(inputsOf(pictures))).toEqual(await detector.inspect(inputsOf(pictures)));
});

test("a file that is no detector is refused by name", async () => {
  const file = decodeSafetensors(await encodeDetector(detector), "model");
  const changed = (metadata: Record<string, string>, without = "") =>
    encodeSafetensors({
      tensors: new Map([...file.tensors].filter(([name]) => name !== without)),
      metadata: { ...file.metadata, ...metadata },
    });
  const read = (bytes: Uint8Array) => expect(decodeDetector(device, bytes, "m")).rejects;
  await read(changed({ format: "other" })).toThrow("m is a safetensors file but no detector");
  await read(changed({ version: "9" })).toThrow(
    "m is a detector of version 9; this bigrid reads versions 3, 4 and 5: install a newer one",
  );
  for (const version of ["1", "two"])
    await read(changed({ version })).toThrow(
      `m is a detector of version ${version}; this bigrid reads versions 3, 4 and 5: train it anew`,
    );
  const config = (changes: object) => changed({ config: JSON.stringify({ ...detector.config, ...changes }) });
  await read(config({ calibration: { ...detector.config.calibration, heat: 5 } })).toThrow("is not that of a detector");
  await read(config({ calibration: { ...detector.config.calibration, classes: null } })).toThrow(
    "is not that of a detector",
  );
  const { bytes } = device.memory();
  const { method } = detector.config;
  await read(config({ method: { ...method, name: "other" } })).toThrow("is not that of a detector");
  await read(config({ method: { ...method, config: { ...(method.config as object), height: 9 } } })).toThrow(
    /its model is for features \[9,.*the file is damaged/,
  );
  await read(changed({ config: "{" })).toThrow("the configuration in its metadata is no JSON");
  await read(changed({ config: "{}" })).toThrow("is not that of a detector");
  await read(changed({ config: "null" })).toThrow("is not that of a detector");
  await read(changed({}, "normal.localGrid")).toThrow("m: tensor normal.localGrid [1,8,8,40] is missing");
  expect(device.memory().bytes).toBe(bytes); // nothing is left of what was begun
});

test("one image is too few to learn from", async () => {
  async function* one(): AsyncGenerator<TrainingImage> {
    yield { className: "weave", image: pictures[0]! };
  }
  await expect(Training.begin(device, one(), options)).rejects.toThrow(
    "training needs at least two good images, got 1",
  );
});
