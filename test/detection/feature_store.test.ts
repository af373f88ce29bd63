import { describe, expect, test } from "vitest";
import { FeatureStore, type Spill } from "../../src/detection/feature_store.ts";
import { add } from "../../src/ops/elementwise.ts";
import { floatToHalf, halfToFloat } from "../../src/tensor/half.ts";
import { fromArray, release, toArray, type FloatDType } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

/** Records in memory. */
class Memory implements Spill {
  readonly records = new Map<number, Uint8Array>();
  readonly write = (index: number, record: Uint8Array): Promise<void> =>
    Promise.resolve(void this.records.set(index, record.slice()));
  readonly read = (index: number): Promise<Uint8Array> => Promise.resolve(this.records.get(index)!);
}

const SHAPE = [3, 5, 4];
const RECORD = 60;

async function filled(count: number, dtype: FloatDType, budget: number, spill: Spill | null, elements = RECORD) {
  const store = new FeatureStore(device, { dtype, budget, spill });
  const random = rng(4);
  const images = Array.from({ length: count }, () => Float32Array.from({ length: elements }, () => 8 * random() - 4));
  for (const [i, values] of images.entries()) {
    const features = fromArray(device, elements === RECORD ? [1, ...SHAPE] : [1, 1, 1, elements], values);
    expect(await store.add(features)).toBe(i);
    release(features);
  }
  return { store, images };
}

const ORDER = [4, 0, 6, 6, 2];
const halved = (values: Float32Array) => values.map((x) => halfToFloat(floatToHalf(x)));
const hasHalf = device.gpu.features.has("shader-f16");

describe("a feature store", () => {
  test.each([
    ["all in device memory", 7, 0],
    ["none in device memory", 0, 7],
    ["some of both", 3, 4],
  ])("returns what was added, in the order asked for, %s", async (_what, resident, spilled) => {
    const memory = new Memory();
    const { store, images } = await filled(7, "f32", resident * RECORD * 4, memory);
    expect([store.count, store.resident, memory.records.size]).toEqual([7, resident, spilled]);
    poison();
    const batch = await store.batch(ORDER);
    expect(batch.shape).toEqual([5, ...SHAPE]);
    expect(await toArray(batch)).toEqual(Float32Array.from(ORDER.flatMap((i) => Array.from(images[i]!))));
    release(batch);
    store.release();
  });

  test.skipIf(!hasHalf)("rounds to f16 once, wherever a record lies", async () => {
    for (const budget of [0, 3 * RECORD * 2, Infinity]) {
      const { store, images } = await filled(7, "f16", budget, new Memory());
      const batch = await store.batch(ORDER);
      expect(await toArray(batch)).toEqual(Float32Array.from(ORDER.flatMap((i) => Array.from(halved(images[i]!)))));
      release(batch);
      store.release();
    }
  });

  test.skipIf(!hasHalf)("keeps records of an odd number of elements in f32", async () => {
    const { store, images } = await filled(3, "f16", Infinity, null, 7);
    const batch = await store.batch([2, 1]);
    expect(await toArray(batch)).toEqual(Float32Array.of(...images[2]!, ...images[1]!));
    release(batch);
    store.release();
  });

  test("replaces an image's features wherever they lie, and leaves the others and the memory as they are", async () => {
    const spill = new Memory();
    const { store, images } = await filled(4, "f32", 2 * 4 * RECORD, spill);
    const before = device.memory().bytes;
    for (const index of [1, 2]) await store.replace(index, (features) => add(features, features));
    expect([device.memory().bytes, spill.records.size]).toEqual([before, 2]);
    const want = images.map((values, i) => (i === 1 || i === 2 ? values.map((value) => 2 * value) : values));
    const batch = await store.batch([0, 1, 2, 3]);
    expect(await toArray(batch)).toEqual(Float32Array.from(want.flatMap((values) => Array.from(values))));
    release(batch);
    store.release();
  });

  test("keeps everything on the device where there is nowhere else, and gives it back", async () => {
    const before = device.memory().bytes;
    const { store } = await filled(5, "f32", 0, null);
    expect(store.resident).toBe(5);
    store.release();
    expect(device.memory().bytes).toBe(before);
  });

  test("fills more chunks than one", async () => {
    const large = 2 ** 22; // four of them make a chunk
    const { store, images } = await filled(6, "f32", Infinity, null, large);
    const batch = await store.batch([5, 3]);
    const got = await toArray(batch);
    expect([got[0], got[large - 1], got[large], got[2 * large - 1]]).toEqual([
      images[5]![0],
      images[5]![large - 1],
      images[3]![0],
      images[3]![large - 1],
    ]);
    release(batch);
    store.release();
  });

  test("refuses features of another shape", async () => {
    const { store } = await filled(1, "f32", Infinity, null);
    await expect(store.add(fromArray(device, [1, 3, 5, 3], new Float32Array(45)))).rejects.toThrow(
      "features of [1,3,5,4] are kept here, got [1,3,5,3]",
    );
    store.release();
  });
});
