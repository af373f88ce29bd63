import { describe, expect, test } from "vitest";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { exclusiveScan, histogram, topKMean } from "../../src/ops/statistics.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { topKMeanOfEqualsOperation, topKMeanOperation } from "../operations/statistics.ts";
import * as reference from "../reference/statistics.ts";

describeOperation(topKMeanOperation);
describeOperation(topKMeanOfEqualsOperation);

describe("topKMean", () => {
  test.each([
    ["equals of the k-th largest", [1, 3, 2, 2, 2, 0], 3],
    ["nothing but equals", [5, 5, 5, 5], 3],
    ["numbers of both signs and zeros of both", [-1, 0, -0, 2, -3, 1e-40, -1e-40, 1e30], 4],
    ["the smallest numbers", [-1e30, -2, -3], 3],
  ])("shares the weight among %s", async (_what, values, k) => {
    using _scope = device.scope({ awaits: true });
    const input = requireGrad(fromArray(device, [1, values.length], Float32Array.from(values)));
    const { results, grads } = valueAndGradients(() => [topKMean(input, k)], [input]);
    const p = { rows: 1, columns: values.length, k };
    const [output, grad] = await Promise.all([toArray(results[0]), toArray(grads[0]!)]);
    const want = reference.topKMean(p, values)[0]!;
    expect(Math.abs(output[0]! - want) <= 1e-6 * Math.max(...values.map(Math.abs))).toBe(true);
    expect(grad.reduce((sum, g) => sum + g, 0)).toBeCloseTo(1, 6);
    if (!values.some((x) => x === 0)) {
      reference.topKMeanBackward(p, values, [1]).forEach((g, i) => expect(grad[i]).toBeCloseTo(g, 6));
    }
  });

  test("has nothing to do for no rows", async () => {
    expect(await runEmpty([[0, 5]], ([input]) => topKMean(input!, 2))).toEqual({
      shape: [0],
      dispatches: 0,
      grads: [[]],
    });
  });

  test("rejects a k that is not in the row, and whole numbers", () => {
    expect(() => topKMean(empty(device, [2, 3]), 4)).toThrow("topKMean: expected k, a whole number from 1 to 3, got 4");
    expect(() => topKMean(empty(device, [2, 3]), 1.5)).toThrow(
      "topKMean: expected k, a whole number from 1 to 3, got 1.5",
    );
    expect(() => topKMean(empty(device, []), 1)).toThrow("topKMean: expected at least one axis, got input []");
    expect(() => topKMean(empty(device, [2], "u32"), 1)).toThrow(
      "topKMean: expected input of dtype f32 or f16, it is u32, got input [2]",
    );
  });
});

describe("histogram", () => {
  const counts = async (values: Float32Array, options: { bins: number; low: number; high: number }) => {
    using _scope = device.scope({ awaits: true });
    return Array.from(await toArray(histogram(fromArray(device, [values.length], values), options)));
  };
  const random = rng(3);

  test.each([
    ["one bin", 1, 10],
    ["a few", 7, 1000],
    ["more elements than a workgroup takes, a power of two", 64, 20_000],
    ["more bins than a workgroup holds", 2500, 9000],
  ])("counts every element once, %s", async (_what, bins, count) => {
    // Multiples of 1/4 of a bin, off the bins' edges: rounding cannot move one into another bin.
    const values = Float32Array.from(
      { length: count },
      () => (Math.floor((bins + 4) * random()) - 2 + 0.25 + Math.floor(3 * random()) / 4 - 0.125) / 1,
    );
    expect(await counts(values, { bins, low: 0, high: bins })).toEqual(reference.histogram(values, bins, 0, bins));
  });

  test("gives the upper end to the last bin, and counts neither what is outside nor NaN", async () => {
    expect(
      await counts(Float32Array.of(0, 4, 4.001, -0.001, NaN, Infinity, -Infinity, 2), { bins: 4, low: 0, high: 4 }),
    ).toEqual([1, 0, 1, 1]);
  });

  test("is all zeros of nothing", async () =>
    expect(await counts(new Float32Array(), { bins: 3, low: 0, high: 1 })).toEqual([0, 0, 0]));

  test("rejects what is no range", () => {
    const input = empty(device, [3]);
    expect(() => histogram(input, { low: 1, high: 1 })).toThrow("histogram: expected finite low < high, got 1 and 1");
    expect(() => histogram(input, { high: Infinity })).toThrow(
      "histogram: expected finite low < high, got 0 and Infinity",
    );
    expect(() => histogram(input, { bins: 0 })).toThrow(
      "histogram: expected bins to be whole numbers of at least 1, got 0",
    );
    expect(() => histogram(input, { bin: 3 } as object)).toThrow(
      "histogram: unknown option bin; it takes bins, low, high",
    );
  });
});

test("exclusiveScan sums what came before, also over more blocks than one workgroup scans", async () => {
  const input = Uint32Array.from({ length: 257 * 8192 + 5 }, (_, i) => i % 5);
  using _scope = device.scope({ awaits: true });
  const output = exclusiveScan(fromArray(device, [input.length], input));
  const got = new Uint32Array(await device.read(output.allocation.buffer, 4 * output.shape[0]!));
  let sum = 0;
  expect(
    got.findIndex((x, i) => {
      const wrong = x !== sum;
      sum += input[i] ?? 0;
      return wrong;
    }),
  ).toBe(-1);
});
