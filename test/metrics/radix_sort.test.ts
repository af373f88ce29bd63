import { expect, test } from "vitest";
import { radixSort } from "../../src/metrics/radix_sort.ts";
import { rng } from "../harness/bounds.ts";

const random = rng(1);
const words = new Uint32Array(5000).map(() => Math.floor(random() * 2 ** 32));
// Every kind of finite number: subnormals, both signs, large and small exponents, and ties.
const values = Float32Array.from([
  ...new Float32Array(words.buffer),
  ...Array.from({ length: 500 }, () => Math.floor(8 * random()) - 4),
  0,
  -0,
  1e-45,
  -1e-45,
]).filter(Number.isFinite);

test("numbers of all magnitudes and signs are sorted in place, as by value", () => {
  const sorted = values.slice();
  radixSort(sorted);
  expect(sorted).toEqual(
    values
      .slice()
      .sort()
      .map((value) => value + 0),
  );
});

test("a payload goes along, ties in their old order", () => {
  const [sorted, payload] = [values.slice(), Uint32Array.from(values, (_, i) => i)];
  radixSort(sorted, payload);
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b);
  expect([...payload]).toEqual(order);
});

test("a part of a buffer is sorted alone", () => {
  const whole = Float32Array.of(9, 3, -1, 2, -9);
  radixSort(whole.subarray(1, 4));
  expect([...whole]).toEqual([9, -1, 2, 3, -9]);
});
