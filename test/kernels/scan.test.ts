import { expect, test } from "vitest";
import { exclusiveScan } from "../../src/kernels/scan.ts";
import { ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";

/** The scan of `input`, into memory that held other numbers. */
function scan(input: Uint32Array): Promise<Uint32Array> {
  using _scope = device.scope();
  const stale = device.allocate(4 * (input.length + 1));
  device.write(stale.buffer, new Uint32Array(stale.bytes / 4).fill(0xdeadbeef));
  const tensor = fromArray(device, [input.length], input);
  device.release(stale);
  return toArray({ ...exclusiveScan(tensor), dtype: "u32" });
}

/** The value for the assertion: printing a whole array that differs would take minutes. */
function firstDifference(got: Uint32Array, want: Uint32Array): string | null {
  if (got.length !== want.length) return `${got.length} sums instead of ${want.length}`;
  const at = want.findIndex((sum, i) => got[i] !== sum);
  return at === -1 ? null : `sum ${at} is ${got[at]} instead of ${want[at]}`;
}

function prefixSums(input: Uint32Array): Uint32Array {
  const sums = new Uint32Array(input.length + 1);
  input.forEach((value, i) => (sums[i + 1] = sums[i]! + value));
  return sums;
}

test.each([
  ["nothing", 0],
  ["one number", 1],
  ["one number less than lanes", 255],
  ["as many numbers as lanes", 256],
  ["one number more than lanes", 257],
  ["a last lane with a part of a stretch, and lanes with nothing", 256 * 3 - 260],
  ["many for each lane", 100_000],
])("sums what came before, %s", async (_what, count) => {
  const random = rng(count);
  const input = Uint32Array.from({ length: count }, () => Math.floor(40_000 * random()));
  expect(firstDifference(await scan(input), prefixSums(input))).toBeNull();
});

test("keeps sums that no f32 could hold, and zeros", async () => {
  const input = Uint32Array.of(0, 2 ** 31, 1, 0, 0, 2 ** 30, 1);
  expect(await scan(input)).toEqual(prefixSums(input));
});

test("rejects anything but u32", () => {
  const attempt = () => exclusiveScan(empty(device, [3]));
  expect(attempt).toThrow(ShapeError);
  expect(attempt).toThrow("exclusiveScan: expected input of dtype u32, it is f32, got input [3]");
});
