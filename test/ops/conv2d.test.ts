import { describe, expect, test } from "vitest";
import {
  CONV2D_FORMS,
  conv2dBackwardWeight,
  conv2dBackwardInput,
  type Conv2dOptions,
} from "../../src/kernels/conv2d.ts";
import type { ConvolutionOptions } from "../../src/kernels/convolution.ts";
import { conv2d, depthwiseConv2d } from "../../src/ops/conv2d.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { empty, fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { runEmpty } from "../harness/empty.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { boundFault, exactnessFault, withFoldedWorkgroups, withForm } from "../harness/operation.ts";
import { conv2dOperation } from "../operations/conv2d.ts";

describeOperation(conv2dOperation);

describe.each(CONV2D_FORMS)("the form %s computes the same convolution and gradients,", (form) => {
  test.each(conv2dOperation.problems)("%s", async (_why, problem) => {
    expect(await withForm(form, () => exactnessFault(conv2dOperation, problem, 1))).toBeNull();
    expect(await withForm(form, () => boundFault(conv2dOperation, problem, 2, "f32"))).toBeNull();
  });
});

describe("a form with tiles computes the same", () => {
  const FORM = "tiled 64x64x16 of 8x4";
  // scalars and packs: each compiles two more kernels
  const IN_HALF = ["filters not a multiple of four, nothing square", "the basic decoder's 3x3, fewer channels"];

  test("folded where a dispatch dimension holds only three workgroups", async () => {
    for (const [why, problem] of conv2dOperation.problems) {
      expect(
        await withForm(FORM, () => withFoldedWorkgroups(() => boundFault(conv2dOperation, problem, 6, "f32"))),
        why,
      ).toBeNull();
    }
  });

  test.skipIf(!device.gpu.features.has("shader-f16"))("stored in half precision", async () => {
    const problems = conv2dOperation.problems.filter(([why]) => IN_HALF.includes(why));
    expect(problems).toHaveLength(IN_HALF.length);
    for (const [why, problem] of problems)
      expect(await withForm(FORM, () => boundFault(conv2dOperation, problem, 5, "f16")), why).toBeNull();
  });
});

describe("conv2d's options", () => {
  // A filter that copies one pixel: the output shows the position of the window.
  const image = Float32Array.from({ length: 12 }, (_, i) => i + 1);
  const compute = (options: Conv2dOptions): Promise<Float32Array> => {
    using _scope = device.scope();
    return toArray(
      conv2d(fromArray(device, [1, 3, 4, 1], image), fromArray(device, [1, 1, 1, 1], Float32Array.of(1)), options),
    );
  };

  test("have the defaults of no stride and no padding", async () => expect(await compute({})).toEqual(image));

  test("take one number for both axes, a pair [h, w], or four paddings [top, bottom, left, right]", async () => {
    expect(await compute({ stride: 2 })).toEqual(Float32Array.of(1, 3, 9, 11));
    expect(await compute({ stride: [2, 3] })).toEqual(Float32Array.of(1, 4, 9, 12));
    expect(await compute({ padding: 1, stride: [2, 3] })).toEqual(Float32Array.of(0, 0, 0, 7, 0, 0));
    expect(await compute({ padding: [0, 1], stride: [1, 5] })).toEqual(Float32Array.of(0, 0, 0, 0, 0, 0));
    expect(await compute({ padding: [1, 0, 0, 0], stride: [1, 4] })).toEqual(Float32Array.of(0, 1, 5, 9));
    expect(await compute({ padding: [0, 1, 0, 0], stride: [1, 4] })).toEqual(Float32Array.of(1, 5, 9, 0));
    expect(await compute({ padding: [0, 0, 1, 0], stride: [1, 4] })).toEqual(Float32Array.of(0, 4, 0, 8, 0, 12));
    expect(await compute({ padding: [0, 0, 0, 1], stride: [1, 4] })).toEqual(Float32Array.of(1, 0, 5, 0, 9, 0));
  });
});

describe('padding "same" makes the output as large as the input divided by the stride', () => {
  // Total padding by TensorFlow's formula; an odd pixel goes below and right.
  const before = (extent: number, taps: number, stride: number, dilation: number) => {
    const total = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + (taps - 1) * dilation + 1 - extent);
    return [Math.floor(total / 2), total - Math.floor(total / 2)] as const;
  };

  test.each([
    ["an odd window", 5, 6, [3, 3], 1, 1],
    ["an even window", 5, 6, [2, 4], 1, 1],
    ["a stride", 7, 8, [3, 5], 2, 1],
    ["a stride beyond the window, which needs no padding", 7, 8, [1, 2], 3, 1],
    ["dilation", 5, 6, [3, 2], 1, 2],
    ["dilation and stride", 9, 8, [3, 3], 2, 3],
  ] as const)("with %s", async (_why, height, width, [r, s], stride, dilation) => {
    using _scope = device.scope({ awaits: true });
    const image = fromArray(
      device,
      [1, height, width, 1],
      Float32Array.from({ length: height * width }, (_, i) => (i * 7) % 11),
    );
    const taps = Float32Array.from({ length: r * s }, (_, i) => i + 1);
    const padding = [...before(height, r, stride, dilation), ...before(width, s, stride, dilation)] as const;
    for (const convolve of [
      (options: ConvolutionOptions) => conv2d(image, fromArray(device, [r, s, 1, 1], taps), options),
      (options: ConvolutionOptions) => depthwiseConv2d(image, fromArray(device, [r, s, 1], taps), options),
    ]) {
      const same = convolve({ padding: "same", stride, dilation });
      expect(same.shape).toEqual([1, Math.ceil(height / stride), Math.ceil(width / stride), 1]);
      expect(await toArray(same)).toEqual(await toArray(convolve({ padding, stride, dilation })));
    }
  });
});

test("the gradient of the weight gives its workspace back", () => {
  using _scope = device.scope();
  const image = () => fromArray(device, [4, 7, 3, 1], new Float32Array(84));
  const [input, gradOutput, weight] = [image(), image(), fromArray(device, [1, 1, 1, 1], Float32Array.of(1))];
  const { allocations } = device.memory();
  conv2dBackwardWeight(input, weight, gradOutput, {});
  expect(device.memory().allocations).toBe(allocations + 1);
});

test("a batch of 0 images has an empty output, and the weight a gradient of zero", async () => {
  const got = await runEmpty(
    [
      [0, 3, 3, 2],
      [1, 1, 2, 3],
    ],
    ([input, weight]) => conv2d(input!, weight!),
  );
  expect(got).toEqual({ shape: [0, 3, 3, 3], dispatches: 0, grads: [[], [0, 0, 0, 0, 0, 0]] });
});

describe("conv2d rejects, before any GPU work,", () => {
  const convolve =
    (input: readonly number[], weight: readonly number[], options: Conv2dOptions = {}) =>
    () =>
      conv2d(empty(device, input), empty(device, weight), options);

  test.each([
    [
      "a 3-D input",
      [4, 4, 3],
      [3, 3, 3, 8],
      {},
      "conv2d: expected input [N,H,W,C] and weight [R,S,C/groups,K], got input [4,4,3] and weight [3,3,3,8]",
    ],
    [
      "a 2-D weight",
      [1, 4, 4, 3],
      [3, 8],
      {},
      "conv2d: expected input [N,H,W,C] and weight [R,S,C/groups,K], got input [1,4,4,3] and weight [3,8]",
    ],
    [
      "a weight for other channels",
      [1, 4, 4, 3],
      [3, 3, 4, 8],
      {},
      "conv2d: expected weight [R,S,3,K], got input [1,4,4,3] and weight [3,3,4,8]",
    ],
    [
      "a weight for all channels in groups",
      [1, 4, 4, 4],
      [3, 3, 4, 8],
      { groups: 2 },
      "conv2d: expected weight [R,S,2,K], got input [1,4,4,4] and weight [3,3,4,8]",
    ],
    ["a window of nothing", [1, 4, 4, 3], [0, 3, 3, 8], {}, "conv2d: expected a window of at least 1x1, got 0x3"],
  ])("%s", (_what, input, weight, options, message) => {
    expect(convolve(input, weight, options)).toThrow(ShapeError);
    expect(convolve(input, weight, options)).toThrow(message);
  });

  const groups = "conv2d: expected groups to divide 4 channels and 6 filters, got";
  const whole = "to be whole numbers of at least";
  test.each<readonly [string, Conv2dOptions, string]>([
    ["groups that do not divide the channels", { groups: 3 }, `${groups} 3`],
    ["groups that do not divide the filters", { groups: 4 }, `${groups} 4`],
    ["no groups", { groups: 0 }, `${groups} 0`],
    ["half a group", { groups: 0.5 }, `${groups} 0.5`],
    ["groups that are no number", { groups: Number.NaN }, `${groups} NaN`],
    ["a stride of 0", { stride: [1, 0] }, `conv2d: expected stride ${whole} 1, got 1,0`],
    ["half a stride", { stride: 0.5 }, `conv2d: expected stride ${whole} 1, got 0.5,0.5`],
    ["a dilation of 0", { dilation: 0 }, `conv2d: expected dilation ${whole} 1, got 0,0`],
    ["negative padding", { padding: [0, 0, -1, 0] }, `conv2d: expected padding ${whole} 0, got 0,0,-1,0`],
    ["padding that is no number", { padding: Number.NaN }, `conv2d: expected padding ${whole} 0, got NaN,NaN,NaN,NaN`],
    [
      "a window that does not fit",
      { dilation: 3, padding: 1 },
      "conv2d: a 3x3 window does not fit the padded 4x4 image; use more padding",
    ],
  ])("%s", (_what, options, message) => {
    const attempt = convolve([1, 4, 4, 4], [3, 3, 4, 6], options);
    expect(attempt).toThrow(OptionError);
    expect(attempt).toThrow(message);
  });

  const rejects = (attempt: () => Tensor, message: string) => {
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
  };

  test("whole numbers", () =>
    rejects(
      () => conv2d(empty(device, [1, 2, 2, 1], "u32"), empty(device, [1, 1, 1, 1])),
      "conv2d: expected input of dtype f32 or f16, it is u32, got input [1,2,2,1] and weight [1,1,1,1]",
    ));

  test("a gradient of another shape", () =>
    rejects(
      () =>
        conv2dBackwardInput(empty(device, [1, 4, 4, 2]), empty(device, [3, 3, 2, 5]), empty(device, [1, 4, 4, 5]), {}),
      "conv2d: expected gradOutput [1,2,2,5], got input [1,4,4,2] and weight [3,3,2,5] and gradOutput [1,4,4,5]",
    ));
});
