import { describe, expect, test } from "vitest";
import {
  averagePoolBackwardInput,
  maxPoolBackwardInput,
  type AveragePoolOptions,
  type MaxPoolOptions,
} from "../../src/kernels/pool.ts";
import type { Pair } from "../../src/kernels/launch.ts";
import { valueAndGradients } from "../../src/ops/gradients.ts";
import { averagePool, globalAveragePool, globalMaxPool, maxPool } from "../../src/ops/pool.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, requireGrad, toArray } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import {
  averagePoolDyadicOperation,
  averagePoolOperation,
  globalAveragePoolOperation,
  globalMaxPoolOperation,
  maxPoolOperation,
} from "../operations/pool.ts";

describeOperation(averagePoolOperation);
describeOperation(averagePoolDyadicOperation);
describeOperation(maxPoolOperation);
describeOperation(globalAveragePoolOperation);
describeOperation(globalMaxPoolOperation);

const ramp = () =>
  fromArray(
    device,
    [1, 4, 4, 1],
    Float32Array.from({ length: 16 }, (_, i) => i),
  );

test("averagePool steps by its window, pads nothing, and counts padding, if not told otherwise", async () => {
  const plain = averagePool(ramp(), 2);
  expect(plain.shape).toEqual([1, 2, 2, 1]);
  expect(await toArray(plain)).toEqual(Float32Array.of(2.5, 4.5, 10.5, 12.5));
  const padded = await toArray(averagePool(ramp(), 2, { padding: 1, stride: 4 }));
  expect(padded).toEqual(Float32Array.of(0, 3 / 4, 12 / 4, 15 / 4)); // each a corner of the image, divided by four
});

test("maxPool steps by its window and pads nothing, if not told otherwise", async () => {
  const output = maxPool(ramp(), [2, 4]);
  expect(output.shape).toEqual([1, 2, 1, 1]);
  expect(await toArray(output)).toEqual(Float32Array.of(7, 15));
});

test("padding never is a maximum", async () => {
  const input = fromArray(device, [1, 2, 2, 1], Float32Array.of(-4, -3, -2, -1));
  expect(await toArray(maxPool(input, 2, { padding: 1 }))).toEqual(Float32Array.of(-4, -3, -2, -1));
});

test("the first of equal maxima takes the whole gradient, also where all are -infinity", async () => {
  for (const value of [7, -Infinity]) {
    const input = requireGrad(fromArray(device, [1, 2, 2, 4], new Float32Array(16).fill(value)));
    const { grads } = valueAndGradients(() => [maxPool(input, 2)], [input]);
    expect(Array.from(await toArray(grads[0]!)), `${value}`).toEqual([1, 1, 1, 1, ...new Array<number>(12).fill(0)]);
  }
});

test.each<[string, Parameters<typeof runEmpty>[1]]>([
  ["averagePool", ([input]) => averagePool(input!, 2)],
  ["maxPool", ([input]) => maxPool(input!, 2)],
])("%s of a batch of 0 images, or of 0 channels, is empty", async (_name, run) => {
  expect(await runEmpty([[0, 4, 5, 3]], run)).toEqual({ shape: [0, 2, 2, 3], dispatches: 0, grads: [[]] });
  expect(await runEmpty([[2, 4, 5, 0]], run)).toEqual({ shape: [2, 2, 2, 0], dispatches: 0, grads: [[]] });
});

describe.each([
  ["averagePool", averagePool],
  ["maxPool", maxPool],
] as const)("%s rejects, before any GPU work,", (op, pool) => {
  test.each([
    ["a 3-D input", [4, 4, 3], "expected input [N,H,W,C] with H, W > 0, got input [4,4,3]"],
    ["no rows", [1, 0, 4, 3], "expected input [N,H,W,C] with H, W > 0, got input [1,0,4,3]"],
    ["no columns", [1, 4, 0, 3], "expected input [N,H,W,C] with H, W > 0, got input [1,4,0,3]"],
  ])("%s", (_what, shape, message) => {
    const attempt = () => pool(empty(device, shape), 1);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(`${op}: ${message}`);
  });

  test.each<[string, Pair, MaxPoolOptions, string]>([
    ["a window of nothing", [2, 0], {}, "expected window to be whole numbers of at least 1, got 2,0"],
    ["a window between pixels", 1.5, {}, "expected window to be whole numbers of at least 1, got 1.5,1.5"],
    ["a stride of 0", 2, { stride: 0 }, "expected stride to be whole numbers of at least 1, got 0,0"],
    ["negative padding", 2, { padding: [0, -1] }, "expected padding to be whole numbers of at least 0, got 0,0,-1,-1"],
    [
      "padding of more than half the window",
      [4, 3],
      { padding: 2 },
      "expected padding of at most half the 4x3 window, got 2,2",
    ],
    [
      "a window that does not fit",
      7,
      { padding: 1 },
      "a 7x7 window does not fit the padded 4x4 image; use more padding",
    ],
  ])("%s", (_what, window, options, message) => {
    const attempt = () => pool(empty(device, [1, 4, 4, 3]), window, options);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(`${op}: ${message}`);
  });

  test("whole numbers", () => {
    const attempt = () => pool(empty(device, [1, 2, 2, 1], "u32"), 2);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(`${op}: expected input of dtype f32 or f16, it is u32, got input [1,2,2,1]`);
  });

  test("an option that it does not know", () => {
    const attempt = () => pool(empty(device, [1, 2, 2, 1]), 2, { ceilMode: true } as AveragePoolOptions);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(
      `${op}: unknown option ceilMode; it takes stride, padding${op === "averagePool" ? ", countIncludePad" : ""}`,
    );
  });

  test("a gradient of another shape", () => {
    const options = { stride: 2, padding: 0, countIncludePad: true };
    const backward = op === "averagePool" ? averagePoolBackwardInput : maxPoolBackwardInput;
    const attempt = () => backward(empty(device, [1, 4, 4, 1]), empty(device, [1, 4, 4, 1]), 2, options);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(`${op}: expected gradOutput [1,2,2,1], got input [1,4,4,1] and gradOutput [1,4,4,1]`);
  });
});

test.each([
  ["globalAveragePool", globalAveragePool],
  ["globalMaxPool", globalMaxPool],
] as const)("%s keeps its axes, and rejects what is no image", (op, pool) => {
  expect(pool(empty(device, [2, 3, 4, 5])).shape).toEqual([2, 1, 1, 5]);
  for (const shape of [
    [4, 4, 3],
    [1, 0, 4, 3],
    [1, 4, 0, 3],
  ]) {
    expect(() => pool(empty(device, shape))).toThrow(ShapeError);
    expect(() => pool(empty(device, shape))).toThrow(
      `${op}: expected input [N,H,W,C] with H, W > 0, got input [${shape.join(",")}]`,
    );
  }
});
