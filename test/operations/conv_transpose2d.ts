import { convTranspose2d } from "../../src/ops/conv_transpose2d.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/conv_transpose2d.ts";
import type { Problem } from "../reference/conv_transpose2d.ts";

/** RIAD's doubling of an image, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 3,
  width: 4,
  channels: 4,
  outputs: 4,
  groups: 1,
  window: [4, 4],
  stride: [2, 2],
  dilation: [1, 1],
  padding: [1, 1],
  outputPadding: [0, 0],
  ...p,
});

export const convTranspose2dOperation: Operation<Problem> = {
  name: "convTranspose2d",
  problems: [
    [
      "one pixel, one tap",
      problem({ height: 1, width: 1, channels: 1, outputs: 1, window: [1, 1], stride: [1, 1], padding: [0, 0] }),
    ],
    ["twice as many pixels, packed", problem({ batch: 2, channels: 8, outputs: 4 })],
    ["channels and outputs that are no multiples of four", problem({ channels: 3, outputs: 5 })],
    ["windows that overlap at a stride of one", problem({ window: [3, 2], stride: [1, 1] })],
    [
      "a stride beyond the window, which leaves zeros between",
      problem({ window: [2, 1], stride: [3, 2], padding: [0, 0] }),
    ],
    ["pixels added below and right, of different strides", problem({ stride: [2, 3], outputPadding: [1, 2] })],
    ["dilation", problem({ window: [2, 3], dilation: [3, 2], padding: [0, 2] })],
    ["everything cut off but a row of the first and the last window", problem({ height: 2, padding: [2, 1] })],
    ["two groups, packed", problem({ channels: 8, outputs: 6, groups: 2 })],
    ["two groups that a pack would straddle", problem({ channels: 6, outputs: 4, groups: 2, outputPadding: [1, 0] })],
    [
      "more rows than one slice of the weight's gradient",
      problem({ batch: 3, height: 7, width: 3, channels: 2, outputs: 1 }),
    ],
  ],
  shapes: ({ batch, height, width, channels, outputs, groups, window }) => [
    [batch, height, width, channels],
    [...window, outputs / groups, channels],
  ],
  run: ({ stride, padding, outputPadding, dilation, groups }, [input, weight]) =>
    convTranspose2d(input!, weight!, { stride, padding, outputPadding, dilation, groups }),
  forward: (p, [input, weight]) => reference.forward(p, input!, weight!),
  backward: (p, [input, weight], gradOutput) => reference.backward(p, input!, weight!, gradOutput),
  // One rounding for the product and one for each addition of the longest of the three sums.
  slack: (p) => {
    const taps = p.window[0] * p.window[1];
    return 2 + Math.max((taps * p.channels) / p.groups, (taps * p.outputs) / p.groups, p.batch * p.height * p.width);
  },
  draw: (draws) => {
    const groups = draws.pick([1, 1, 1, 2, 3]);
    const window = [draws.whole(1, 4), draws.whole(1, 4)] as const;
    const stride = [draws.whole(1, 3), draws.whole(1, 3)] as const;
    const dilation = [draws.whole(1, 2), draws.whole(1, 3)] as const;
    const [height, width] = [draws.whole(1, 6), draws.whole(1, 6)];
    const most = (pixels: number, axis: 0 | 1): number =>
      Math.min(3, ((pixels - 1) * stride[axis] + dilation[axis] * (window[axis] - 1)) >> 1);
    return {
      batch: draws.whole(1, 3),
      height,
      width,
      channels: groups * draws.pick([1, 2, 3, 4, 8]),
      outputs: groups * draws.pick([1, 3, 4, 8]),
      groups,
      window,
      stride,
      dilation,
      padding: [draws.whole(0, most(height, 0)), draws.whole(0, most(width, 1))],
      outputPadding: [draws.whole(0, stride[0] - 1), draws.whole(0, stride[1] - 1)],
    };
  },
};
