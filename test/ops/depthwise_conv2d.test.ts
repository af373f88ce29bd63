import { describe, expect, test } from "vitest";
import { depthwiseBackwardWeight } from "../../src/kernels/depthwise_conv2d.ts";
import { depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { depthwiseConv2dOperation } from "../operations/depthwise_conv2d.ts";

describeOperation(depthwiseConv2dOperation);

test("the gradient of the weight gives its workspace back", () => {
  using _scope = device.scope();
  const image = () => fromArray(device, [4, 7, 3, 1], new Float32Array(84));
  const [input, gradOutput, weight] = [image(), image(), fromArray(device, [1, 1, 1], Float32Array.of(1))];
  const { allocations } = device.memory();
  depthwiseBackwardWeight(input, weight, gradOutput, {});
  expect(device.memory().allocations).toBe(allocations + 1);
});

test("a batch of 0 images has an empty output, and the weight a gradient of zero", async () => {
  const got = await runEmpty(
    [
      [0, 3, 3, 2],
      [1, 2, 2],
    ],
    ([input, weight]) => depthwiseConv2d(input!, weight!),
  );
  expect(got).toEqual({ shape: [0, 3, 2, 2], dispatches: 0, grads: [[], [0, 0, 0, 0]] });
});

describe("depthwiseConv2d rejects, before any GPU work,", () => {
  const expected = "depthwiseConv2d: expected input [N,H,W,C] and weight [R,S,C]";
  test.each([
    ["a 3-D input", [4, 4, 3], [3, 3, 3], `${expected}, got input [4,4,3] and weight [3,3,3]`],
    [
      "the weight of a dense convolution",
      [1, 4, 4, 3],
      [3, 3, 1, 3],
      `${expected}, got input [1,4,4,3] and weight [3,3,1,3]`,
    ],
    ["a weight for other channels", [1, 4, 4, 3], [3, 3, 4], `${expected}, got input [1,4,4,3] and weight [3,3,4]`],
  ])("%s", (_what, input, weight, message) => {
    const attempt = () => depthwiseConv2d(empty(device, input), empty(device, weight));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });

  test.each([
    ["a stride of 0", { stride: 0 }, "depthwiseConv2d: expected stride to be whole numbers of at least 1, got 0,0"],
    [
      "a window that does not fit",
      { padding: [0, 0, 1, 1] as const },
      "depthwiseConv2d: a 5x5 window does not fit the padded 4x4 image; use more padding",
    ],
  ])("%s", (_what, options, message) => {
    const attempt = () => depthwiseConv2d(empty(device, [1, 4, 4, 3]), empty(device, [5, 5, 3]), options);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(message);
  });

  test("whole numbers", () => {
    const attempt = () => depthwiseConv2d(empty(device, [1, 2, 2, 1]), empty(device, [1, 1, 1], "u32"));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(
      "depthwiseConv2d: expected weight of dtype f32 or f16, it is u32, got input [1,2,2,1] and weight [1,1,1]",
    );
  });

  test("a gradient of another shape", () => {
    const attempt = () =>
      depthwiseBackwardWeight(empty(device, [1, 4, 4, 2]), empty(device, [3, 3, 2]), empty(device, [1, 4, 4, 2]), {});
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(
      "expected gradOutput [1,2,2,2], got input [1,4,4,2] and weight [3,3,2] and gradOutput [1,4,4,2]",
    );
  });
});
