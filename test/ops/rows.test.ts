import { describe, expect, test } from "vitest";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { cosineSimilarity, l2Norm, l2Normalize, layerNorm, softmax } from "../../src/ops/rows.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import * as operations from "../operations/rows.ts";

for (const operation of Object.values(operations)) describeOperation(operation);

const valuesOf = (values: readonly number[], run: (x: Tensor) => Tensor) => {
  using _scope = device.scope();
  const x = requireGrad(fromArray(device, [1, values.length], Float32Array.from(values)));
  const { results, grads } = valueAndGradients(() => [run(x)], [x]);
  return Promise.all([toArray(results[0]), toArray(grads[0]!)]);
};

test("softmax does not overflow", async () => {
  const [output] = await valuesOf([-3e4, 3e4, 3e4], softmax);
  expect(Array.from(output)).toEqual([0, 0.5, 0.5]);
});

test("softmax shares out rows of the lowest numbers evenly, and gives minus infinity nothing", async () => {
  const lowest = -(2 - 2 ** -23) * 2 ** 127;
  expect(Array.from((await valuesOf([lowest, lowest], softmax))[0])).toEqual([0.5, 0.5]);
  const [output, gradient] = await valuesOf([1, -Infinity, 1], softmax);
  expect(Array.from(output)).toEqual([0.5, 0, 0.5]);
  expect(Math.abs(gradient[1]!)).toBe(0);
});

test("layerNorm is accurate where the mean is a thousand deviations", async () => {
  const [output] = await valuesOf([999, 1001, 1001, 999], (x) => layerNorm(x));
  Array.from(output).forEach((h, i) => expect(h).toBeCloseTo(i === 0 || i === 3 ? -1 : 1, 4));
});

test("layerNorm leaves nothing but the bias of rows that are all the same, and of one channel", async () => {
  using _scope = device.scope({ awaits: true });
  const of = (shape: readonly number[], ...values: number[]) => fromArray(device, shape, Float32Array.from(values));
  const [several, single] = [
    layerNorm(of([2, 3], 4, 4, 4, -8, -8, -8), of([2, 3], 5, 6, 7, 1, 2, 3)),
    layerNorm(of([2, 1], 4, -8), of([2, 1], 5, 3)),
  ];
  expect(await toArray(several)).toEqual(Float32Array.of(1, 2, 3, 1, 2, 3));
  expect(await toArray(single)).toEqual(Float32Array.of(3, 3));
});

test("eps is 1e-5, 1e-12 and 1e-8 if not told otherwise", async () => {
  const step = Math.sqrt(3e-5);
  const [normed] = await valuesOf([step, -step], (x) => layerNorm(x));
  expect(normed[0]! / Math.sqrt(3 / 4)).toBeCloseTo(1, 5);
  const [short, slope] = await valuesOf([2e-13, 0], l2Normalize);
  expect(short[0]).toBeCloseTo(0.2, 6);
  expect(slope[0]! / 1e12).toBeCloseTo(1, 5);
  const [cosine, towards] = await valuesOf([1e-9, 0], (x) =>
    cosineSimilarity(x, fromArray(device, [1, 2], Float32Array.of(2, 0))),
  );
  expect(cosine[0]).toBeCloseTo(0.1, 6);
  expect(towards[0]! / 1e8).toBeCloseTo(1, 5);
});

test("rows of zeros have a length of 0, no direction and no gradient of either", async () => {
  expect(await valuesOf([0, 0, 0], l2Norm)).toEqual([Float32Array.of(0), Float32Array.of(0, 0, 0)]);
  const [output, gradient] = await valuesOf([0, 0, 0], (x) => l2Normalize(x, { eps: 0.5 }));
  expect([Array.from(output), Array.from(gradient)]).toEqual([
    [0, 0, 0],
    [2, 2, 2],
  ]);
});

test("nothing in, nothing out", async () => {
  const nothing = { shape: [0, 5], dispatches: 0, grads: [[]] };
  expect(await runEmpty([[0, 5]], ([x]) => softmax(x!))).toEqual(nothing);
  expect(await runEmpty([[0, 5]], ([x]) => layerNorm(x!))).toEqual(nothing);
  expect(await runEmpty([[0, 5]], ([x]) => l2Normalize(x!))).toEqual(nothing);
  expect(await runEmpty([[0, 5]], ([x]) => l2Norm(x!))).toEqual({ ...nothing, shape: [0] });
  expect(
    await runEmpty(
      [
        [0, 5],
        [0, 5],
      ],
      ([x, y]) => cosineSimilarity(x!, y!),
    ),
  ).toEqual({ shape: [0], dispatches: 0, grads: [[], []] });
  expect(
    await runEmpty(
      [
        [0, 3],
        [2, 3],
      ],
      ([x, affine]) => layerNorm(x!, affine),
    ),
  ).toEqual({ shape: [0, 3], dispatches: 0, grads: [[], [0, 0, 0, 0, 0, 0]] });
});

describe("along rows are rejected, before any GPU work,", () => {
  const x = () => empty(device, [2, 3]);
  test.each<readonly [string, () => unknown, typeof ShapeError | typeof OptionError, string]>([
    [
      "a scalar",
      () => softmax(empty(device, [])),
      ShapeError,
      "softmax: expected a last axis of at least one element, got input []",
    ],
    [
      "rows of nothing",
      () => l2Norm(empty(device, [3, 0])),
      ShapeError,
      "l2Norm: expected a last axis of at least one element, got input [3,0]",
    ],
    [
      "whole numbers",
      () => l2Normalize(empty(device, [2], "u32")),
      ShapeError,
      "l2Normalize: expected input of dtype f32 or f16, it is u32, got input [2]",
    ],
    [
      "other shapes",
      () => cosineSimilarity(x(), empty(device, [2, 4])),
      ShapeError,
      "cosineSimilarity: expected b [2,3], got a [2,3] and b [2,4]",
    ],
    [
      "parameters of another shape",
      () => layerNorm(x(), empty(device, [3])),
      ShapeError,
      "layerNorm: expected affine [2,3], got input [2,3] and affine [3]",
    ],
    [
      "parameters of whole numbers",
      () => layerNorm(x(), empty(device, [2, 3], "u32")),
      ShapeError,
      "layerNorm: expected affine of dtype f32, it is u32, got affine [2,3]",
    ],
    [
      "a negative eps",
      () => layerNorm(x(), null, { eps: -1 }),
      OptionError,
      "layerNorm: expected eps of at least 0, got -1",
    ],
    [
      "an eps that is no number",
      () => cosineSimilarity(x(), x(), { eps: NaN }),
      OptionError,
      "cosineSimilarity: expected eps of at least 0, got NaN",
    ],
    [
      "an unknown option",
      () => l2Normalize(x(), { p: 1 } as object),
      OptionError,
      "l2Normalize: unknown option p; it takes eps",
    ],
  ])("%s", (_what, attempt, type, message) => {
    expect(attempt).toThrow(type);
    expect(attempt).toThrow(message);
  });
});
