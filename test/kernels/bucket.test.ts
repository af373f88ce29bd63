import { afterEach, describe, expect, test } from "vitest";
import { bucketOf } from "../../src/kernels/bucket.ts";
import { gather } from "../../src/ops/gather.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, release, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

const whole = (tensor: Tensor): Promise<Uint32Array> => toArray({ ...tensor, dtype: "u32" });

/** The lists as the kernels make them; also checks that nothing else stays allocated. */
async function computeLists(keys: Uint32Array, buckets: number): Promise<number[][]> {
  poison();
  const tensor = fromArray(device, [keys.length], keys);
  const before = device.memory().allocations;
  const made = bucketOf("bucketOf", tensor, buckets);
  expect(device.memory().allocations).toBe(before + 2);
  const reads = [whole(made.starts), whole(made.list)] as const;
  for (const { allocation } of [tensor, made.starts, made.list]) device.release(allocation);
  const [starts, list] = await Promise.all(reads);
  expect(starts.length).toBe(buckets * made.blocks + 1);
  const startOf = (bucket: number): number => starts[bucket * made.blocks]!;
  return Array.from({ length: buckets }, (_, bucket) =>
    Array.from(list.subarray(startOf(bucket), startOf(bucket + 1))),
  );
}

const definition = (keys: Uint32Array, buckets: number): number[][] =>
  Array.from({ length: buckets }, (_, bucket) => Array.from(keys.keys()).filter((i) => keys[i] === bucket));

const random = rng(1);
const draw = (count: number, below: number): Uint32Array =>
  Uint32Array.from({ length: count }, () => Math.floor(below * random()));

describe("lists the indices of equal keys, in order:", () => {
  test.each<readonly [string, Uint32Array, number]>([
    ["no keys", new Uint32Array(0), 3],
    ["no buckets", Uint32Array.of(0, 1, 2), 0],
    ["one key", Uint32Array.of(2), 4],
    ["every key another", Uint32Array.of(3, 1, 0, 2), 4],
    ["all in one, several blocks", new Uint32Array(200).fill(1), 3],
    ["one key less than a block", draw(63, 5), 5],
    ["a block exactly", draw(64, 5), 5],
    ["one key more than a block", draw(65, 5), 5],
    ["keys beyond the buckets, which are in no list", Uint32Array.of(0, 4, 2, 0xffffffff, 3, 2, 0x80000000), 4],
    ["more counts than one workgroup scans", draw(1000, 900), 800],
  ])("%s", async (_what, keys, buckets) => {
    const got = await computeLists(keys, buckets);
    expect(got).toEqual(definition(keys, buckets));
    expect(await computeLists(keys, buckets)).toEqual(got);
  });
});

describe("refuses, before any GPU work,", () => {
  afterEach(() => void delete (device as { maxBindingBytes?: unknown }).maxBindingBytes);

  test("keys that are no whole numbers", () => {
    const keys = empty(device, [3]);
    expect(() => bucketOf("bucketOf", keys, 2)).toThrow(ShapeError);
    expect(() => bucketOf("bucketOf", keys, 2)).toThrow(
      "bucketOf: expected keys of dtype u32, it is f32, got keys [3]",
    );
    release(keys);
  });

  test("one count more than a dispatch can see, and takes as many as it can", () => {
    using _scope = device.scope();
    const keys = fromArray(device, [128], new Uint32Array(128)); // two blocks
    Object.defineProperty(device, "maxBindingBytes", { value: 4 * (2 * 300 + 1), configurable: true });
    expect(() => bucketOf("bucketOf", keys, 300)).not.toThrow();
    const before = device.memory().allocations;
    expect(() => bucketOf("bucketOf", keys, 301)).toThrow(ShapeError);
    const seen = "more than the 2404 that a dispatch can see on this device; use fewer of either at a time";
    expect(() => bucketOf("bucketOf", keys, 301)).toThrow(
      `bucketOf: listing 128 keys in 301 buckets takes 2412 bytes, ${seen}`,
    );
    expect(device.memory().allocations).toBe(before);
  });

  test("a gradient of picked rows that would need more, in the name of its operation", () => {
    using _scope = device.scope();
    const input = requireGrad(fromArray(device, [600], new Float32Array(600)));
    const indices = fromArray(device, [65], new Uint32Array(65));
    Object.defineProperty(device, "maxBindingBytes", { value: 4 * 600, configurable: true });
    const attempt = () => valueAndGradients(() => [gather(input, indices)], [input]);
    expect(attempt).toThrow("gather: listing 65 keys in 600 buckets takes 4804 bytes, more than the 2400");
  });
});
