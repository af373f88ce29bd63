import { depthwiseConv2d } from "../../src/ops/conv2d.ts";
import type { Operation } from "../harness/operation.ts";
import { biased, biasGradient } from "../reference/bias.ts";
import * as reference from "../reference/depthwise_conv2d.ts";
import type { Problem } from "../reference/depthwise_conv2d.ts";

/** A 3x3 convolution that keeps the extent, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 5,
  width: 6,
  channels: 8,
  window: [3, 3],
  stride: [1, 1],
  dilation: [1, 1],
  padding: [1, 1, 1, 1],
  ...p,
});

export const depthwiseConv2dOperation: Operation<Problem> = {
  name: "depthwiseConv2d",
  problems: [
    ["one pixel, one tap", problem({ height: 1, width: 1, channels: 1, window: [1, 1], padding: [0, 0, 0, 0] })],
    ["the mobile decoder's 3x3, packed", problem({ batch: 2, channels: 12 })],
    ["ragged channels", problem({ batch: 2, channels: 7 })],
    ["5x5", problem({ height: 7, window: [5, 5], padding: [2, 2, 2, 2] })],
    [
      "5x5, stride 2, padded as TF does",
      problem({ height: 8, width: 7, window: [5, 5], stride: [2, 2], padding: [1, 2, 2, 2] }),
    ],
    ["stride 2, odd extents, ragged channels", problem({ height: 7, width: 5, channels: 6, stride: [2, 2] })],
    ["strides that differ", problem({ height: 8, width: 9, stride: [3, 2] })],
    [
      "a stride that skips pixels",
      problem({ height: 7, width: 9, window: [1, 2], stride: [3, 4], padding: [0, 0, 0, 0] }),
    ],
    ["all four paddings different", problem({ padding: [2, 0, 3, 1] })],
    ["dilation", problem({ height: 7, width: 9, dilation: [2, 3], padding: [2, 2, 3, 3] })],
    [
      "dilation and stride at once, ragged channels",
      problem({ height: 8, width: 9, channels: 3, dilation: [2, 1], stride: [1, 2], padding: [1, 2, 0, 1] }),
    ],
    ["a window larger than the image", problem({ height: 2, width: 3, window: [5, 5], padding: [2, 2, 2, 2] })],
    [
      "more rows of output than one slice of the weight's gradient",
      problem({ batch: 3, height: 7, width: 3, channels: 4 }),
    ],
  ],
  shapes: ({ batch, height, width, channels, window }) => [
    [batch, height, width, channels],
    [...window, channels],
    [channels],
  ],
  run: ({ stride, padding, dilation }, [input, weight, bias]) =>
    depthwiseConv2d(input!, weight!, { stride, padding, dilation, bias: bias! }),
  forward: (p, [input, weight, bias]) => biased(reference.forward(p, input!, weight!), bias!),
  backward: (p, [input, weight, bias], gradOutput) => [
    ...reference.backward(p, input!, weight!, gradOutput),
    biasGradient(bias!, gradOutput),
  ],
  // One rounding for the product and one for each addition of the longest sum: over a window, or over the whole output.
  slack: (p) => {
    const [outHeight, outWidth] = reference.outputOf(p);
    return 2 + Math.max(p.window[0] * p.window[1], p.batch * outHeight * outWidth);
  },
  draw: (draws) => {
    const window = [draws.whole(1, 5), draws.whole(1, 5)] as const;
    const dilation = [draws.whole(1, 2), draws.whole(1, 3)] as const;
    const padding = [draws.whole(0, 3), draws.whole(0, 3), draws.whole(0, 3), draws.whole(0, 3)] as const;
    return {
      batch: draws.whole(1, 3),
      height: Math.max(1, dilation[0] * (window[0] - 1) + 1 - padding[0] - padding[1]) + draws.whole(0, 7),
      width: Math.max(1, dilation[1] * (window[1] - 1) + 1 - padding[2] - padding[3]) + draws.whole(0, 7),
      channels: draws.channels(),
      window,
      dilation,
      padding,
      stride: [draws.whole(1, 3), draws.whole(1, 3)],
    };
  },
};
