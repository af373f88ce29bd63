import { describe, expect, test } from "vitest";
import { depthwiseBackwardFilters } from "../../src/kernels/depthwise_conv2d.ts";
import { depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { runEmpty } from "../empty.ts";
import { describeOperation } from "../describe_operation.ts";
import * as reference from "../reference/depthwise_conv2d.ts";
import type { Problem } from "../reference/depthwise_conv2d.ts";

/** A 3x3 convolution that keeps the extent, but for what is said. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1, height: 5, width: 6, channels: 8, window: [3, 3], stride: [1, 1], dilation: [1, 1], padding: [1, 1, 1, 1], ...p,
});

describeOperation<Problem>({
  name: "depthwiseConv2d",
  problems: [
    ["one pixel, one tap", problem({ height: 1, width: 1, channels: 1, window: [1, 1], padding: [0, 0, 0, 0] })],
    ["the mobile decoder's 3x3, packed", problem({ batch: 2, channels: 12 })],
    ["ragged channels", problem({ batch: 2, channels: 7 })],
    ["5x5", problem({ height: 7, window: [5, 5], padding: [2, 2, 2, 2] })],
    ["5x5, stride 2, padded as TF does", problem({ height: 8, width: 7, window: [5, 5], stride: [2, 2], padding: [1, 2, 2, 2] })],
    ["stride 2, odd extents, ragged channels", problem({ height: 7, width: 5, channels: 6, stride: [2, 2] })],
    ["strides that differ", problem({ height: 8, width: 9, stride: [3, 2] })],
    ["a stride that skips pixels", problem({ height: 7, width: 9, window: [1, 2], stride: [3, 4], padding: [0, 0, 0, 0] })],
    ["all four paddings different", problem({ padding: [2, 0, 3, 1] })],
    ["dilation", problem({ height: 7, width: 9, dilation: [2, 3], padding: [2, 2, 3, 3] })],
    [
      "dilation and stride at once, ragged channels",
      problem({ height: 8, width: 9, channels: 3, dilation: [2, 1], stride: [1, 2], padding: [1, 2, 0, 1] }),
    ],
    ["a window larger than the image", problem({ height: 2, width: 3, window: [5, 5], padding: [2, 2, 2, 2] })],
    ["more rows of output than one slice of the filters' gradient", problem({ batch: 3, height: 7, width: 3, channels: 4 })],
  ],
  shapes: ({ batch, height, width, channels, window }) => [[batch, height, width, channels], [...window, channels]],
  run: ({ stride, padding, dilation }, [input, filters]) => depthwiseConv2d(input!, filters!, { stride, padding, dilation }),
  forward: (p, [input, filters]) => reference.forward(p, input!, filters!),
  backward: (p, [input, filters], gradOutput) => reference.backward(p, input!, filters!, gradOutput),
  // One rounding for the product and one for each addition of the longest sum: a window, or every place of the output.
  slack: (p) => {
    const [outHeight, outWidth] = reference.outputOf(p);
    return Math.max(p.window[0] * p.window[1], p.batch * outHeight * outWidth);
  },
});

test("the gradient of the filters gives its workspace back", () => {
  using _scope = device.scope();
  const image = () => fromArray(device, [4, 7, 3, 1], new Float32Array(84));
  const [input, gradOutput, filters] = [image(), image(), fromArray(device, [1, 1, 1], Float32Array.of(1))];
  const { allocations } = device.memory();
  depthwiseBackwardFilters(input, filters, gradOutput, {});
  expect(device.memory().allocations).toBe(allocations + 1);
});

test("a batch of 0 images has an empty output, and filters a gradient of zero", async () => {
  const got = await runEmpty([[0, 3, 3, 2], [1, 2, 2]], ([input, filters]) => depthwiseConv2d(input!, filters!));
  expect(got).toEqual({ shape: [0, 3, 2, 2], dispatches: 0, grads: [[], [0, 0, 0, 0]] });
});

describe("depthwiseConv2d rejects, before any GPU work,", () => {
  const expected = "depthwiseConv2d: expected input [N,H,W,C] and filters [R,S,C]";
  test.each([
    ["a 3-D input", [4, 4, 3], [3, 3, 3], `${expected}, got input [4,4,3] and filters [3,3,3]`],
    ["filters of a dense convolution", [1, 4, 4, 3], [3, 3, 1, 3], `${expected}, got input [1,4,4,3] and filters [3,3,1,3]`],
    ["filters for other channels", [1, 4, 4, 3], [3, 3, 4], `${expected}, got input [1,4,4,3] and filters [3,3,4]`],
  ])("%s", (_what, input, filters, message) => {
    const attempt = () => depthwiseConv2d(empty(device, input), empty(device, filters));
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  });

  test.each([
    ["a stride of 0", { stride: 0 }, "depthwiseConv2d: expected stride to be whole numbers of at least 1, got 0,0"],
    [
      "a window that does not fit", { padding: [0, 0, 1, 1] as const },
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
    expect(attempt).toThrow("depthwiseConv2d: expected filters of dtype f32, it is u32, got input [1,2,2,1] and filters [1,1,1]");
  });

  test("a gradient of another shape", () => {
    const attempt = () => depthwiseBackwardFilters(empty(device, [1, 4, 4, 2]), empty(device, [3, 3, 2]), empty(device, [1, 4, 4, 2]), {});
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow("expected gradOutput [1,2,2,2], got input [1,4,4,2] and filters [3,3,2] and gradOutput [1,4,4,2]");
  });
});
