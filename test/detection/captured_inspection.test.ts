import { expect, test, vi } from "vitest";
import type { DecodedImage } from "../../src/io/image.ts";
import type { Inspection } from "../../src/detection/inspection.ts";
import { PictureRegion } from "../../src/detection/region.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import { Tuner } from "../../src/runtime/tuner.ts";
import { toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { poison } from "../harness/operation.ts";
import { inputsOf } from "../harness/inputs.ts";

const SIZE = 64;
const detector = await madeUpDetector(device, SIZE, { form: "joined", decoder: "tiny", hingeWeight: 1 });
const pictures = Array.from({ length: 3 }, (_, i) => madeUpPicture(SIZE + 16 * i, i + 1)); // each is resized otherwise
const half = new PictureRegion(
  new Uint8Array(SIZE * SIZE).map((_, i) => (i % SIZE < SIZE / 2 ? 1 : 0)),
  { width: SIZE, height: SIZE },
);

/** Inspects by definition: nothing is captured. */
async function eager(images: readonly DecodedImage[]): Promise<Pick<Inspection, "map" | "score" | "peak">[]> {
  const { inputSize, std, ...options } = detector.preprocessing;
  using _scope = device.scope();
  const { map, score, peak } = detector.score(
    imagesToTensor(device, images, { height: inputSize, width: inputSize, std, ...options }),
  );
  const reads = Promise.all([map, score, peak].map((tensor) => toArray(tensor)));
  return reads.then(([maps, scores, peaks]) =>
    Array.from(scores!, (score, i) => ({
      score,
      peak: peaks![i]!,
      map: maps!.slice(i * SIZE * SIZE, (i + 1) * SIZE * SIZE),
    })),
  );
}

test("captured batches give the bits of eager ones, whatever the shapes before and whatever lies in the memory that others use", async () => {
  for (const images of [pictures, pictures.slice(1), pictures, pictures.toReversed(), pictures.slice(0, 2), pictures]) {
    const want = await eager(images);
    poison();
    const got = await detector.inspect(inputsOf(images));
    expect(got.map(({ map, score, peak }) => ({ score, peak, map }))).toEqual(want);
  }
});

test("two batches at a time do not mix", async () => {
  const [one, other] = await Promise.all([
    detector.inspect(inputsOf(pictures.slice(0, 2))),
    detector.inspect(inputsOf(pictures.slice(1))),
  ]);
  expect(one[1]).toEqual(other[0]);
  expect(one[0]).not.toEqual(other[1]);
});

test("a batch of a known shape binds and allocates nothing, and uploads nothing but itself", async () => {
  const regions = [half, null, null];
  for (let i = 0; i < 2; i++) await detector.inspect(inputsOf(pictures, regions));
  const [memory, before, made] = [device.memory(), device.counters(), vi.spyOn(device.gpu, "createBuffer")];
  const batches = 3;
  for (let i = 0; i < batches; i++) await detector.inspect(inputsOf(pictures, regions));
  const after = device.counters();
  expect(device.memory()).toEqual(memory);
  expect(made).not.toHaveBeenCalled();
  made.mockRestore();
  expect(after.bindGroups).toBe(before.bindGroups);
  const pixels = pictures.reduce((sum, { data }) => sum + data.length, 0);
  expect((after.bytesUploaded - before.bytesUploaded) / batches).toBe(pixels + 4 * pictures.length * SIZE * SIZE);
});

test("only the last shapes are kept, and what they hold is given back", async () => {
  const own = await madeUpDetector(device, SIZE, { decoder: "tiny" });
  const before = device.memory();
  const largest = [...pictures, ...pictures];
  const uses: number[] = [];
  for (let round = 0; round < 2; round++) {
    for (let images = largest.length; images > 0; images--) await own.inspect(inputsOf(largest.slice(0, images)));
    uses.push(device.memory().allocations);
  }
  expect(uses[1]).toBe(uses[0]);
  const known = device.counters().bindGroups;
  await own.inspect(inputsOf(largest.slice(0, 1)));
  expect(device.counters().bindGroups).toBe(known);
  own.release();
  expect(device.memory().bytes).toBeLessThan(before.bytes);
});

test("where forms of kernels are to be measured, they are before the batch is captured", async () => {
  const writable = device as { tuner: Tuner };
  const [fixed, tuner] = [device.tuner, new Tuner(null, true)];
  const own = await madeUpDetector(device, SIZE, { decoder: "tiny" });
  writable.tuner = tuner;
  const capture = vi.spyOn(device, "capture");
  let measured = 0;
  capture.mockImplementationOnce((f, options) => {
    measured = tuner.choices.size;
    return device.capture(f, options);
  });
  try {
    const [first] = await own.inspect(inputsOf(pictures.slice(0, 1)));
    expect(measured).toBeGreaterThan(0);
    expect([tuner.choices.size, tuner.isPending]).toEqual([measured, false]);
    expect((await own.inspect(inputsOf(pictures.slice(0, 1))))[0]).toEqual(first);
  } finally {
    capture.mockRestore();
    writable.tuner = fixed;
    own.release();
  }
});
