import { describe, expect, test } from "vitest";
import { gradients } from "../../src/ops/gradients.ts";
import { max, mean, sum } from "../../src/ops/reduce.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../bounds.ts";
import { device } from "../device.ts";
import { runEmpty } from "../empty.ts";
import { describeOperation } from "../describe_operation.ts";
import { poison } from "../operation.ts";
import * as reference from "../reference/reduce.ts";
import type { Problem } from "../reference/reduce.ts";

type Rows = readonly (readonly [why: string, p: Problem])[];

// Extents are powers of two, so that the mean is exact too.
const DYADIC: Rows = [
  ["one element", { shape: [1], axes: [0] }],
  ["no axes at all", { shape: [], axes: [] }],
  ["no axis of several: every element by itself", { shape: [3, 5], axes: [] }],
  ["the leading axis, packed", { shape: [4, 3, 8], axes: [0] }],
  ["the leading axis, ragged", { shape: [8, 3, 5], axes: [0] }],
  ["the middle axis, packed", { shape: [3, 4, 8], axes: [1] }],
  ["the middle axis, ragged", { shape: [2, 4, 3], axes: [1] }],
  ["the trailing axis", { shape: [3, 5, 8], axes: [2] }],
  ["the pixels of every image, packed", { shape: [2, 4, 4, 12], axes: [1, 2] }],
  ["the pixels of every image, axes the other way round", { shape: [3, 2, 4, 5], axes: [2, 1] }],
  ["all axes", { shape: [4, 2, 8], axes: [0, 1, 2] }],
  ["five axes", { shape: [2, 4, 2, 3, 4], axes: [1, 2] }],
  ["a full slice exactly", { shape: [128, 3], axes: [0] }],
  ["two passes, packed", { shape: [2, 512, 4], axes: [1] }],
  ["three passes", { shape: [32768], axes: [0] }],
];

const RAGGED: Rows = [
  ["seven elements", { shape: [7], axes: [0] }],
  ["one row more than a slice", { shape: [129, 4], axes: [0] }],
  ["the pixels of every image, odd extents", { shape: [2, 3, 5, 7], axes: [1, 2] }],
  ["two passes, the last slice of one row", { shape: [3, 257], axes: [1] }],
  ["three passes, the last slice of one row", { shape: [16385], axes: [0] }],
];

/** Additions on the longest path of a sum that is made 128 at a time. */
const additions = (extent: number): number => (extent <= 128 ? extent - 1 : 127 + additions(Math.ceil(extent / 128)));

for (const [rows, exact] of [[DYADIC, undefined], [RAGGED, null]] as const) {
  describeOperation<Problem>({
    name: "mean",
    problems: rows,
    shapes: ({ shape }) => [shape],
    run: ({ axes }, [input]) => mean(input!, axes),
    forward: (p, [input]) => reference.mean(p, input!),
    backward: (p, _inputs, gradOutput) => [reference.meanBackward(p, gradOutput)],
    ...(exact === null && { exact }), // a reciprocal that f32 rounds
    slack: (p) => additions(reference.extentOf(p)) + 2, // and the reciprocal of the extent, and the product with it
  });
}

describeOperation<Problem>({
  name: "sum",
  problems: [...DYADIC, ...RAGGED],
  shapes: ({ shape }) => [shape],
  run: ({ axes }, [input]) => sum(input!, axes),
  forward: (p, [input]) => reference.sum(p, input!),
  backward: (p, _inputs, gradOutput) => [reference.sumBackward(p, gradOutput)],
  slack: (p) => additions(reference.extentOf(p)),
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

  test("has no gradient", () => {
    using _scope = device.scope();
    const input = requireGrad(fromArray(device, [3], new Float32Array(3)));
    expect(gradients(() => [max(input)], [input]).grads).toEqual([null]);
  });
});

test("all axes are reduced where none are named", async () => {
  const read = () => {
    using _scope = device.scope();
    const input = fromArray(device, [2, 2, 2], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    return [sum, mean, max].map((reduce) => [reduce(input).shape, toArray(reduce(input))] as const);
  };
  const results = read();
  expect(results.map(([shape]) => shape)).toEqual([[1, 1, 1], [1, 1, 1], [1, 1, 1]]);
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
  expect(await runEmpty([[0, 4, 4, 8]], ([input]) => mean(input!, [1, 2]))).toEqual({ shape: [0, 1, 1, 8], dispatches: 0, grads: [[]] });
});

describe("reductions reject, before any GPU work,", () => {
  test.each([
    ["axes with a gap", [2, 3, 4], [0, 2], OptionError, "mean: expected neighbouring axes of [2,3,4], got 0,2"],
    ["an axis twice", [2, 3], [1, 1], OptionError, "mean: expected neighbouring axes of [2,3], got 1,1"],
    ["an axis too many", [2, 3], [1, 2], OptionError, "mean: expected neighbouring axes of [2,3], got 1,2"],
    ["an axis counted from the end", [2, 3], [-1], OptionError, "mean: expected neighbouring axes of [2,3], got -1"],
    ["no axis", [2, 3], [Number.NaN], OptionError, "mean: expected neighbouring axes of [2,3], got NaN"],
    ["half an axis", [2, 3], [0.5], OptionError, "mean: expected neighbouring axes of [2,3], got 0.5"],
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
    expect(attempt).toThrow("sum: expected input of dtype f32, it is u32, got input [2]");
  });
});
