import { conv2d } from "../../src/ops/conv2d.ts";
import type { Operation } from "../harness/operation.ts";
import { biased, biasGradient } from "../reference/bias.ts";
import * as reference from "../reference/conv2d.ts";
import type { Problem } from "../reference/conv2d.ts";

/** A 3x3 convolution that keeps the extent, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 5,
  width: 6,
  channels: 4,
  filters: 4,
  groups: 1,
  window: [3, 3],
  stride: [1, 1],
  dilation: [1, 1],
  padding: [1, 1, 1, 1],
  ...p,
});

export const conv2dOperation: Operation<Problem> = {
  name: "conv2d",
  problems: [
    [
      "one pixel, one tap",
      problem({ height: 1, width: 1, channels: 1, filters: 1, window: [1, 1], padding: [0, 0, 0, 0] }),
    ],
    ["1x1, packed", problem({ batch: 2, channels: 8, filters: 12, window: [1, 1], padding: [0, 0, 0, 0] })],
    ["the basic decoder's 3x3, fewer channels", problem({ batch: 2, height: 7, width: 7, channels: 8, filters: 8 })],
    ["a grey image", problem({ height: 7, channels: 1, filters: 4 })],
    ["one filter", problem({ channels: 6, filters: 1 })],
    [
      "filters not a multiple of four, nothing square",
      problem({ batch: 2, height: 4, width: 7, channels: 3, filters: 5, window: [2, 3], padding: [0, 0, 1, 1] }),
    ],
    [
      "stride 2, padded as TF does: below and right alone",
      problem({ height: 6, width: 8, channels: 3, stride: [2, 2], padding: [0, 1, 0, 1] }),
    ],
    ["all four paddings different", problem({ padding: [2, 0, 3, 1] })],
    ["strides that differ and leave a remainder", problem({ height: 8, width: 9, stride: [2, 3], filters: 6 })],
    [
      "a stride that skips pixels",
      problem({ height: 7, width: 9, window: [2, 1], stride: [3, 4], padding: [0, 0, 0, 0] }),
    ],
    ["dilation", problem({ height: 7, width: 9, dilation: [2, 3], padding: [2, 2, 3, 3] })],
    [
      "dilation, stride and ragged channels at once",
      problem({
        height: 8,
        width: 7,
        channels: 5,
        filters: 3,
        dilation: [2, 2],
        stride: [2, 2],
        padding: [1, 2, 0, 1],
      }),
    ],
    ["a window larger than the image", problem({ height: 2, width: 3, window: [5, 5], padding: [2, 2, 2, 2] })],
    ["padding wider than the window", problem({ height: 2, width: 2, window: [2, 2], padding: [3, 3, 3, 3] })],
    ["no padding, one output", problem({ height: 3, width: 3, padding: [0, 0, 0, 0] })],
    ["two groups, packed", problem({ channels: 6, filters: 8, groups: 2 })],
    ["two groups that a pack would straddle", problem({ channels: 4, filters: 4, groups: 2 })],
    [
      "as many groups as channels, three filters each",
      problem({ channels: 4, filters: 12, groups: 4, stride: [2, 1] }),
    ],
    [
      "more rows of output than one slice of the weight's gradient",
      problem({ batch: 3, height: 7, width: 3, channels: 2 }),
    ],
  ],
  shapes: ({ batch, height, width, channels, filters, groups, window }) => [
    [batch, height, width, channels],
    [...window, channels / groups, filters],
    [filters],
  ],
  run: ({ stride, padding, dilation, groups }, [input, weight, bias]) =>
    conv2d(input!, weight!, { stride, padding, dilation, groups, bias: bias! }),
  forward: (p, [input, weight, bias]) => biased(reference.forward(p, input!, weight!), bias!),
  backward: (p, [input, weight, bias], gradOutput) => [
    ...reference.backward(p, input!, weight!, gradOutput),
    biasGradient(bias!, gradOutput),
  ],
  // One rounding for the product and one for each addition of the longest of the three sums.
  slack: (p) => {
    const [outHeight, outWidth] = reference.outputOf(p);
    const taps = p.window[0] * p.window[1];
    return 2 + Math.max((taps * p.channels) / p.groups, (taps * p.filters) / p.groups, p.batch * outHeight * outWidth);
  },
  draw: (draws) => {
    const groups = draws.pick([1, 1, 1, 2, 3]);
    const window = [draws.whole(1, 4), draws.whole(1, 4)] as const;
    const dilation = [draws.whole(1, 2), draws.whole(1, 3)] as const;
    const padding = [draws.whole(0, 3), draws.whole(0, 3), draws.whole(0, 3), draws.whole(0, 3)] as const;
    return {
      batch: draws.whole(1, 3),
      height: Math.max(1, dilation[0] * (window[0] - 1) + 1 - padding[0] - padding[1]) + draws.whole(0, 7),
      width: Math.max(1, dilation[1] * (window[1] - 1) + 1 - padding[2] - padding[3]) + draws.whole(0, 7),
      channels: groups * draws.pick([1, 2, 3, 4]),
      filters: groups * draws.pick([1, 3, 4, 8]),
      groups,
      window,
      dilation,
      padding,
      stride: [draws.whole(1, 3), draws.whole(1, 3)],
    };
  },
};
