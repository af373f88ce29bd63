import { expect, test } from "vitest";
import type { DecodedImage } from "../../src/io/image.ts";
import { findSuspects } from "../../src/detection/find_suspects.ts";
import { compareWithOthers } from "../../src/detection/suspects.ts";
import { Training } from "../../src/detection/training.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray } from "../../src/tensor/tensor.ts";
import { madeUpPicture } from "../harness/made_up_detector.ts";
import { device } from "../harness/device.ts";

const [HEIGHT, WIDTH, CHANNELS] = [3, 4, 5];
const CELLS = HEIGHT * WIDTH;

/** Distances of an image's cells to the nearest of some images, by definition. */
function nearest(cells: Float32Array, others: readonly Float32Array[]): number[] {
  const row = (values: Float32Array, i: number) => values.subarray(i * CHANNELS, (i + 1) * CHANNELS);
  return Array.from({ length: CELLS }, (_, i) =>
    Math.min(
      ...others.flatMap((other) =>
        Array.from({ length: CELLS }, (_cell, j) =>
          Math.sqrt(row(cells, i).reduce((sum, x, c) => sum + (x - row(other, j)[c]!) ** 2, 0)),
        ),
      ),
    ),
  );
}

test("an image is as far from the others as its strangest cell from the middle group of them", async () => {
  const values = Array.from({ length: 7 }, (_, i) => new RandomStream(3, i).normals(CELLS * CHANNELS, 1));
  const samples = values.map((_, index) => ({
    className: index < 6 ? "a" : "alone",
    name: `image ${index}`,
    cut: null,
    views: [{ index, copies: [] }],
  }));
  const before = device.memory().bytes;
  const counted: number[] = [];
  const found = await compareWithOthers(
    device,
    samples,
    (index) => Promise.resolve(fromArray(device, [1, HEIGHT, WIDTH, CHANNELS], values[index]!)),
    (done) => counted.push(done),
  );
  expect(device.memory().bytes).toBe(before);
  expect(counted).toEqual([1, 2, 3, 4, 5, 6, 7]);
  const wanted = values.slice(0, 6).map((own, index) => {
    const others = values.slice(0, 6).filter((_, i) => i !== index);
    const groups = [0, 1, 2].map((g) =>
      nearest(
        own,
        others.filter((_, i) => i % 3 === g),
      ),
    );
    return Array.from({ length: CELLS }, (_, cell) => groups.map((group) => group[cell]!).sort((a, b) => a - b)[1]!);
  });
  const tops = wanted.map((cells) => Math.max(...cells)); // a hundredth of twelve cells: one
  const typical = [...tops].sort((a, b) => a - b)[2]!;
  wanted.forEach((cells, index) => {
    const { ratio, cells: got } = found.get(samples[index]!)!;
    expect(ratio).toBeCloseTo(tops[index]! / typical, 5);
    cells.forEach((cell, i) => expect(got[i]).toBeCloseTo(cell / typical, 5));
  });
  expect(found.get(samples[6]!)!.ratio).toBe(1);
});

const SIDE = 64;

/** A picture of one texture; with a white square, if it is odd. */
function picture(seed: number, odd: boolean): DecodedImage {
  const { width, height, data } = madeUpPicture(SIDE, 1);
  const noise = new RandomStream(seed, 0).normals(width * height, 6);
  const changed = data.map((value, i) => (i % 4 === 3 ? 255 : Math.min(255, Math.max(0, value + noise[i >> 2]!))));
  if (odd) for (let y = 20; y < 36; y++) changed.fill(255, 4 * (y * width + 20), 4 * (y * width + 36));
  return { width, height, data: changed };
}

const ODD = [3, 8];
async function* pictures(): AsyncGenerator<TrainingImage> {
  for (let i = 0; i < 12; i++)
    yield await Promise.resolve({ name: `${i}.png`, className: "part", image: picture(i, ODD.includes(i)) });
}

test("images with the same defect are the first two, and warm where it is", async () => {
  const before = device.memory().bytes;
  const ranked = await findSuspects(device, pictures(), { inputSize: SIDE });
  expect(device.memory().bytes).toBe(before);
  expect(ranked).toHaveLength(12);
  const [first, second, third] = ranked as [(typeof ranked)[0], (typeof ranked)[0], (typeof ranked)[0]];
  expect([first.name, second.name].sort()).toEqual(["3.png", "8.png"]);
  expect(second.ratio).toBeGreaterThan(1.5 * third.ratio);
  expect(ranked.map(({ ratio }) => ratio)).toEqual(ranked.map(({ ratio }) => ratio).sort((a, b) => b - a));
  const at = first.cells.indexOf(Math.max(...first.cells));
  const centre = [at % first.side, Math.floor(at / first.side)].map((cell) => ((cell + 0.5) * SIDE) / first.side);
  for (const pixel of centre) expect(pixel > 12 && pixel < 44).toBe(true);
});

test("a training leaves them out where it is asked to, and its state says so", async () => {
  const options = { inputSize: SIDE, method: "patchcore", dropSuspects: 2 / 12 } as const;
  const phases = new Set<string>();
  const training = await Training.begin(device, pictures(), {
    ...options,
    onProgress: ({ phase }) => phases.add(phase),
  });
  expect(training.suspects.map(({ name }) => name).sort()).toEqual(["3.png", "8.png"]);
  expect(training.calibrating).toEqual(new Map([["part", 2]])); // of ten that are left
  expect([...phases]).toEqual(["features", "suspects"]);
  const saved = await training.save();
  training.release();
  const all = await Training.begin(device, pictures(), { ...options, dropSuspects: 0 });
  expect(all.suspects).toEqual([]);
  expect(() => all.resume(saved, "saved")).toThrow(/saved.*dropSuspects/);
  all.release();
  const few = await Training.begin(
    device,
    (async function* () {
      let i = 0;
      for await (const image of pictures()) if (i++ < 3) yield image;
    })(),
    { ...options, dropSuspects: 0.5 },
  );
  expect(few.suspects).toHaveLength(1); // two are needed to learn from
  few.release();
});

test("a method that takes pixels has no features to compare", async () => {
  const before = device.memory().bytes;
  const options = { inputSize: SIDE, method: "riad", dropSuspects: 0.1 } as const;
  await expect(Training.begin(device, pictures(), options)).rejects.toThrow(
    "training: dropSuspects compares features of a backbone, and the method riad takes pixels",
  );
  expect(device.memory().bytes).toBe(before);
});
