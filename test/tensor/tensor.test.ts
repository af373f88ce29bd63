import { expect, test } from "vitest";
import { empty, fromArray, requireGrad, toArray, viewOf, zeros } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";

test("what is written is read, f32 and u32", async () => {
  expect(await toArray(fromArray(device, [2, 2], Float32Array.of(1, -2, 3.5, -0)))).toEqual(
    Float32Array.of(1, -2, 3.5, -0),
  );
  const integers = fromArray(device, [3], Uint32Array.of(0, 1, 0xffffffff));
  expect(integers.dtype).toBe("u32");
  const words = await toArray({ ...integers, dtype: "u32" });
  expect(words).toEqual(Uint32Array.of(0, 1, 0xffffffff));
});

test("zeros are zero whatever lay there", async () => {
  poison();
  expect(await toArray(zeros(device, [64]))).toEqual(new Float32Array(64));
});

test("a part of a larger array is written, not the array", async () => {
  const whole = Float32Array.of(9, 1, 2, 9);
  expect(await toArray(fromArray(device, [2], whole.subarray(1, 3)))).toEqual(Float32Array.of(1, 2));
});

test("a view shares its storage, and is another tensor", async () => {
  const tensor = requireGrad(fromArray(device, [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)));
  const view = viewOf(tensor, [6]);
  expect(view.allocation).toBe(tensor.allocation);
  expect([view.requiresGrad, view.id === tensor.id]).toEqual([false, false]);
  expect(await toArray(view)).toHaveLength(6);
  expect(() => viewOf(tensor, [5])).toThrow("reshape: [2,3] has 6 elements, [5] 5");
});

test("a tensor that gradients are wanted for is another one than the plain", () => {
  const plain = zeros(device, [1]);
  const wanted = requireGrad(plain);
  expect([plain.requiresGrad, wanted.requiresGrad, wanted.id === plain.id]).toEqual([false, true, false]);
  expect(wanted.allocation).toBe(plain.allocation);
});

test("extents and counts that cannot be are refused", () => {
  expect(() => empty(device, [2, -1])).toThrow("empty: expected whole, non-negative extents, got [2,-1]");
  expect(() => empty(device, [2.5])).toThrow("got [2.5]");
  expect(() => fromArray(device, [2, 2], new Float32Array(3))).toThrow(
    "fromArray: shape [2,2] holds 4 elements, got 3",
  );
});
