import { record } from "../../src/autograd/tape.ts";
import { conv2dBackwardInput, conv2dBackwardWeight, conv2dForward } from "../../src/kernels/conv2d.ts";
import { WINOGRAD } from "../../src/kernels/winograd.ts";
import { biasPullback } from "../../src/ops/conv2d.ts";
import type { Operation } from "../harness/operation.ts";
import { biasGradient } from "../reference/bias.ts";
import * as reference from "../reference/conv2d.ts";
import type { Problem } from "../reference/conv2d.ts";
import { gradientOf, magnitudesOf } from "../reference/winograd.ts";
import { conv2dOperation } from "./conv2d.ts";

/** A 3x3 convolution that keeps the extent, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 4,
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

/** Roundings on the longest path: two of a pixel's terms, four of a tap's, one for each channel, four of the products, the bias. */
export const roundingsOf = (channels: number): number => channels + 11;

/** `conv2d` in the form of Winograd's algorithm, with its gradients: that of the image is in the same form. */
export const winogradOperation: Operation<Problem> = {
  name: "conv2d by Winograd",
  problems: [
    ["the basic decoder's, fewer channels", problem({ batch: 2, height: 8, width: 8, channels: 8, filters: 8 })],
    ["more filters than channels", problem({ channels: 4, filters: 12 })],
    ["nothing a multiple of four", problem({ batch: 2, channels: 3, filters: 5 })],
    ["scalars in, packs out", problem({ channels: 5, filters: 8 })],
    ["packs in, scalars out", problem({ channels: 8, filters: 3 })],
    ["odd extents: the last tiles are cut", problem({ batch: 2, height: 5, width: 7 })],
    ["a single pixel", problem({ height: 1, width: 1 })],
    ["a single row", problem({ height: 1, width: 9 })],
    ["no padding", problem({ batch: 2, height: 5, width: 6, padding: [0, 0, 0, 0] })],
    ["no padding, one output", problem({ height: 3, width: 3, padding: [0, 0, 0, 0] })],
    ["all four paddings different", problem({ padding: [2, 0, 3, 1] })],
    ["padding wider than the filter", problem({ height: 2, width: 3, padding: [3, 3, 4, 3] })],
  ],
  shapes: conv2dOperation.shapes,
  run: ({ padding }, [input, weight, bias]) =>
    record("conv2d", conv2dForward(input!, weight!, { bias: bias! }, { padding }, WINOGRAD), [
      [input!, (gradOutput) => conv2dBackwardInput(input!, weight!, gradOutput, { padding }, WINOGRAD)],
      [weight!, (gradOutput) => conv2dBackwardWeight(input!, weight!, gradOutput, { padding })],
      ...biasPullback(bias!),
    ]),
  forward: conv2dOperation.forward,
  backward: conv2dOperation.backward,
  magnitudes: (p, [input, weight, bias], gradOutput) => {
    const absolute = (numbers: ArrayLike<number>) => Float64Array.from(numbers, Math.abs);
    const output = magnitudesOf(p, input!, weight!).map((x, i) => x + Math.abs(bias![i % p.filters]!));
    const image = gradientOf(p, weight!);
    const [, ofWeight] = reference.backward(p, absolute(input!), absolute(weight!), absolute(gradOutput));
    const grads = [
      magnitudesOf(image.problem, gradOutput, image.weight),
      ofWeight!,
      biasGradient(bias!, absolute(gradOutput)),
    ];
    return { output, grads };
  },
  slack: (p) => {
    const [outHeight, outWidth] = reference.outputOf(p);
    return Math.max(roundingsOf(Math.max(p.channels, p.filters)), 2 + p.batch * outHeight * outWidth);
  },
  half: null,
  draw: (draws) => {
    const padding = [draws.whole(0, 3), draws.whole(0, 3), draws.whole(0, 3), draws.whole(0, 3)] as const;
    return problem({
      batch: draws.whole(1, 3),
      height: Math.max(1, 3 - padding[0] - padding[1]) + draws.whole(0, 6),
      width: Math.max(1, 3 - padding[2] - padding[3]) + draws.whole(0, 6),
      channels: draws.pick([1, 3, 4, 8]),
      filters: draws.pick([1, 3, 4, 8]),
      padding,
    });
  },
};

const SLOPE = 0.5; // exact in f32

/** The same without a tape, with an activation in the kernel that stores. */
export const winogradWithActivation: Operation<Problem> = {
  ...winogradOperation,
  name: "conv2d by Winograd ending in an activation",
  run: ({ padding }, [input, weight, bias]) => {
    const activation = { name: "leakyRelu", slope: SLOPE } as const;
    return conv2dForward(input!, weight!, { bias: bias!, activation }, { padding }, WINOGRAD);
  },
  forward: (p, inputs) => Float64Array.from(winogradOperation.forward(p, inputs), (x) => (x > 0 ? x : SLOPE * x)),
  backward: null,
  magnitudes: (p, inputs, gradOutput) => ({
    ...winogradOperation.magnitudes!(p, inputs, new Float64Array(gradOutput.length)),
    grads: [],
  }),
  slack: ({ channels }) => roundingsOf(channels) + 1,
};
