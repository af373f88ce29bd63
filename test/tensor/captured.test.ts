import { expect, test, vi } from "vitest";
import { add, multiply } from "../../src/ops/elementwise.ts";
import { ReleasedError } from "../../src/runtime/errors.ts";
import { CapturedWork } from "../../src/tensor/captured.ts";
import { fromArray, release, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

const numbers = (...values: number[]): Tensor => fromArray(device, [values.length], Float32Array.from(values));
const double = ([x]: readonly Tensor[]): Tensor => device.tidy(() => add(add(x!, x!), multiply(x!, x!)));

/** The result of `double` for some values, through `captured`. */
async function run(captured: CapturedWork<Tensor>, key: string, ...values: number[]): Promise<number[]> {
  const input = numbers(...values);
  const result = captured.run(key, [input], double);
  release(input);
  return [...(await toArray(result))];
}

test("work is captured once for each key, and then run again on what it is given", async () => {
  const captured = new CapturedWork<Tensor>(device);
  const capture = vi.spyOn(device, "capture");
  expect(captured.knows("a")).toBe(false);
  expect(await run(captured, "a", 1, 2)).toEqual([3, 8]);
  expect(await run(captured, "a", 3, 4)).toEqual([15, 24]);
  expect(await run(captured, "b", 5, 6)).toEqual([35, 48]);
  expect(await run(captured, "a", 1, 0)).toEqual([3, 0]);
  expect([captured.knows("a"), captured.knows("b"), capture.mock.calls.length]).toEqual([true, true, 2]);
  capture.mockRestore();
  captured.release();
});

test("prepared work is called once to plan it and once to capture it, and its kernels are compiled by then", async () => {
  const captured = new CapturedWork<Tensor>(device);
  const work = vi.fn(double);
  const [kernels, memory] = [vi.spyOn(device.gpu, "createComputePipeline"), device.memory()];
  await captured.prepare("a", [{ shape: [2], dtype: "f32" }], work);
  expect([device.memory(), captured.knows("a"), work.mock.calls.length]).toEqual([memory, false, 1]);
  for (const values of [
    [1, 2],
    [3, 4],
  ]) {
    const input = numbers(...values);
    expect([...(await toArray(captured.run("a", [input], work)))]).toEqual(values.map((x) => 2 * x + x * x));
    release(input);
  }
  expect([work.mock.calls.length, kernels.mock.calls.length]).toEqual([2, 0]);
  await captured.prepare("a", [{ shape: [2], dtype: "f32" }], work);
  expect(work).toHaveBeenCalledTimes(2);
  kernels.mockRestore();
  captured.release();
});

test("a plan for inputs of other shapes, or from before forms were chosen, is not used", async () => {
  const captured = new CapturedWork<Tensor>(device);
  const work = vi.fn(double);
  await captured.prepare("a", [{ shape: [3], dtype: "f32" }], work);
  const input = numbers(1, 2);
  expect([...(await toArray(captured.run("a", [input], work)))]).toEqual([3, 8]);
  expect(work).toHaveBeenCalledTimes(3);
  await captured.prepare("b", [{ shape: [2], dtype: "f32" }], work);
  const chosen = vi.spyOn(device.tuner, "choices", "get").mockReturnValue(new Map([["form", "another"]]));
  expect([...(await toArray(captured.run("b", [input], work)))]).toEqual([3, 8]);
  expect(work).toHaveBeenCalledTimes(6);
  chosen.mockRestore();
  release(input);
  captured.release();
});

test("inputs of other shapes under a known key are captured anew", async () => {
  const captured = new CapturedWork<Tensor>(device);
  expect(await run(captured, "a", 1)).toEqual([3]);
  expect(await run(captured, "a", 1, 2, 3)).toEqual([3, 8, 15]);
  captured.release();
});

test("half-precision inputs of an odd number of elements are taken whole", async () => {
  const captured = new CapturedWork<Tensor>(device);
  if (!device.gpu.features.has("shader-f16")) return;
  for (const values of [
    [1, 2, 3],
    [4, 5, 6],
  ]) {
    const input = fromArray(device, [3], Float32Array.from(values), "f16");
    expect([...(await toArray(captured.run("a", [input], double)))]).toEqual(values.map((x) => 2 * x + x * x));
  }
  captured.release();
});

test("beyond the most that are kept the one that was not used for longest is forgotten, with its inputs", async () => {
  const before = device.memory();
  const captured = new CapturedWork<Tensor>(device, 2);
  await run(captured, "a", 1);
  await run(captured, "b", 1, 2);
  await run(captured, "a", 2);
  await run(captured, "c", 1, 2, 3);
  expect(["a", "b", "c"].map((key) => captured.knows(key))).toEqual([true, false, true]);
  expect(await run(captured, "b", 2, 1)).toEqual([8, 3]);
  captured.release();
  expect(device.memory().bytes).toBe(before.bytes);
});

test("an input that was released is refused, whether the work is captured already or not", async () => {
  const captured = new CapturedWork<Tensor>(device);
  for (const known of [false, true]) {
    const [input, gone] = [numbers(1, 2), numbers(3, 4)];
    release(gone);
    expect(captured.knows("a")).toBe(known);
    expect(() => captured.run("a", [gone], double)).toThrow(ReleasedError);
    expect(await toArray(captured.run("a", [input], double))).toEqual(Float32Array.of(3, 8));
    release(input);
  }
  captured.release();
});

test("work that was captured inside a scope, which took its inputs back, is captured anew", async () => {
  const before = device.memory().bytes;
  const captured = new CapturedWork<Tensor>(device);
  {
    using _scope = device.scope();
    for (const key of ["a", "b"]) captured.run(key, [numbers(1, 2)], double);
  }
  expect([captured.knows("a"), captured.knows("b")]).toEqual([false, false]);
  const others = numbers(9, 9); // reuses the inputs' memory
  expect(await run(captured, "a", 3, 4)).toEqual([15, 24]);
  expect(await run(captured, "b", 1, 0)).toEqual([3, 0]);
  expect(await run(captured, "a", 1, 2)).toEqual([3, 8]);
  expect(await toArray(others)).toEqual(Float32Array.of(9, 9));
  captured.release();
  release(others);
  expect(device.memory().bytes).toBe(before);
});

test("work that fails leaves nothing behind", () => {
  const captured = new CapturedWork<Tensor>(device);
  const before = device.memory().bytes;
  const input = numbers(1);
  expect(() =>
    captured.run("a", [input], () => {
      throw new Error("no");
    }),
  ).toThrow("no");
  release(input);
  expect([device.memory().bytes, captured.knows("a")]).toEqual([before, false]);
});
