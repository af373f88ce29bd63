import { describe, expect, test } from "vitest";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { max, maxPositions, mean, sum } from "../../src/ops/reduce.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { poison } from "../harness/operation.ts";
import {
  DYADIC,
  maxOperation,
  maxPositionsOperation,
  meanDyadicOperation,
  meanOperation,
  minOperation,
  RAGGED,
  sumOperation,
} from "../operations/reduce.ts";
import * as reference from "../reference/reduce.ts";

for (const operation of [meanDyadicOperation, meanOperation, sumOperation, maxOperation, minOperation])
  describeOperation(operation);
describeOperation(maxPositionsOperation);

describe("maxPositions", () => {
  test("passes NaN over behind a row's first element, and takes f16", async () => {
    for (const dtype of device.gpu.features.has("shader-f16") ? (["f32", "f16"] as const) : (["f32"] as const)) {
      using _scope = device.scope({ awaits: true });
      const input = fromArray(device, [2, 3], Float32Array.of(1, NaN, 2, -3, -1, NaN), dtype);
      expect(await toArray({ ...maxPositions(input), dtype: "u32" })).toEqual(Uint32Array.of(2, 4));
    }
  });

  test("rejects what has no rows", () => {
    using _scope = device.scope();
    expect(() => maxPositions(empty(device, [2, 0]))).toThrow(
      "maxPositions: expected a last axis of at least one element, got input [2,0]",
    );
    expect(() => maxPositions(empty(device, []))).toThrow(
      "maxPositions: expected a last axis of at least one element, got input []",
    );
    expect(() => maxPositions(empty(device, [2], "u32"))).toThrow(
      "maxPositions: expected input of dtype f32 or f16, it is u32",
    );
    expect(maxPositions(empty(device, [0, 3])).shape).toEqual([0]);
  });
});

describe("max", () => {
  // Below zero throughout, so that a maximum with a forgotten element or a zero shows.
  const negative = (length: number) => {
    const random = rng(6);
    return Float32Array.from({ length }, () => -1 - random());
  };

  test.each([...DYADIC, ...RAGGED])("finds the largest, %s", async (_why, p) => {
    const input = negative(reference.count(p.shape));
    poison();
    const read = () => {
      using _scope = device.scope();
      return toArray(max(fromArray(device, p.shape, input), p.axes));
    };
    expect(await read()).toEqual(Float32Array.from(reference.max(p, input)));
  });

  test("finds it wherever it is", async () => {
    for (const at of [0, 127, 128, 299]) {
      const input = negative(300);
      input[at] = 5;
      const read = () => {
        using _scope = device.scope();
        return toArray(max(fromArray(device, [300], input)));
      };
      expect(await read()).toEqual(Float32Array.of(5));
    }
  });

  test("shares its gradient among ties, more of them than f16 can count too", async () => {
    for (const dtype of device.gpu.features.has("shader-f16") ? (["f32", "f16"] as const) : (["f32"] as const)) {
      const values = Float32Array.from({ length: 4100 }, (_, i) => (i < 4 ? 1 : 2));
      const read = () => {
        using _scope = device.scope();
        const input = requireGrad(fromArray(device, [4100], values, dtype));
        return toArray(valueAndGradients(() => [max(input)], [input]).grads[0]!);
      };
      const gradient = await read();
      expect(Array.from(gradient.subarray(0, 4))).toEqual([0, 0, 0, 0]);
      expect(new Set(gradient.subarray(4)).size).toBe(1);
      expect(gradient[4]! * 4096).toBeCloseTo(1, 3);
    }
  });
});

test("all axes are reduced where none are named", async () => {
  const read = () => {
    using _scope = device.scope();
    const input = fromArray(device, [2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    return [sum, mean, max].map((reduce) => [reduce(input).shape, toArray(reduce(input))] as const);
  };
  const results = read();
  expect(results.map(([shape]) => shape)).toEqual([
    [1, 1, 1],
    [1, 1, 1],
    [1, 1, 1],
  ]);
  expect(await Promise.all(results.map(([, values]) => values))).toEqual([36, 4.5, 8].map((x) => Float32Array.of(x)));
});

test("intermediate sums of a long axis are given back", () => {
  using _scope = device.scope();
  const input = fromArray(device, [40_000], new Float32Array(40_000));
  const before = device.memory();
  sum(input);
  expect(device.memory()).toMatchObject({ allocations: before.allocations + 1, bytes: before.bytes + 256 });
});

test("a batch of 0 images has no means and no gradients", async () => {
  expect(await runEmpty([[0, 4, 4, 8]], ([input]) => mean(input!, [1, 2]))).toEqual({
    shape: [0, 1, 1, 8],
    dispatches: 0,
    grads: [[]],
  });
});

describe("reductions reject, before any GPU work,", () => {
  test.each([
    ["an axis twice", [2, 3], [1, 1], OptionError, "mean: expected axes of [2,3], each once, got 1,1"],
    ["an axis too many", [2, 3], [1, 2], OptionError, "mean: expected axes of [2,3], each once, got 1,2"],
    ["an axis before the first", [2, 3], [-3], OptionError, "mean: expected axes of [2,3], each once, got -3"],
    [
      "an axis twice, once from the end",
      [2, 3],
      [1, -1],
      OptionError,
      "mean: expected axes of [2,3], each once, got 1,-1",
    ],
    ["no axis", [2, 3], [Number.NaN], OptionError, "mean: expected axes of [2,3], each once, got NaN"],
    ["half an axis", [2, 3], [0.5], OptionError, "mean: expected axes of [2,3], each once, got 0.5"],
    ["nothing", [3, 0, 2], [1], ShapeError, "mean: nothing to reduce in [3,0,2] over axes 1"],
  ])("%s", (_what, shape, axes, error, message) => {
    for (const [name, reduce] of Object.entries({ sum, mean, max })) {
      const attempt = () => reduce(empty(device, shape), axes);
      expect(attempt).toThrow(error);
      expect(attempt).toThrow(message.replace("mean", name));
    }
  });

  test("whole numbers", () => {
    const attempt = () => sum(empty(device, [2], "u32"));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("sum: expected input of dtype f32 or f16, it is u32, got input [2]");
  });
});
