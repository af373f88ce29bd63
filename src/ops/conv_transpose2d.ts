import { record } from "../autograd/tape.ts";
import {
  convTranspose2dBackwardInput,
  convTranspose2dBackwardWeight,
  convTranspose2dForward,
  type ConvTranspose2dOptions,
} from "../kernels/conv_transpose2d.ts";
import { readOptions } from "../runtime/options.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { ConvTranspose2dOptions };

/**
 * Two-dimensional transposed convolution: each pixel of the input adds a multiple of the window to the output.
 * Differentiable in input and weight.
 *
 * @param input `[N, H, W, C]`, f32 or f16, H and W at least 1
 * @param weight `[R, S, K/groups, C]`, the input's dtype: that of the convolution from output to input
 * @returns `[N, P, Q, K]`, with P = (H - 1) stride - 2 padding + dilation (R - 1) + outputPadding + 1, Q likewise
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option out of range or unknown, or
 *   an output that would be empty
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html
 */
export function convTranspose2d(input: Tensor, weight: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const geometry = readOptions<Required<ConvTranspose2dOptions>>("convTranspose2d", options, {
    stride: 1,
    padding: 0,
    outputPadding: 0,
    dilation: 1,
    groups: 1,
  });
  return record(
    "convTranspose2d",
    convTranspose2dForward(input, weight, geometry),
    [
      [input, (gradOutput) => convTranspose2dBackwardInput(weight, gradOutput, geometry)],
      [weight, (gradOutput) => convTranspose2dBackwardWeight(input, weight, gradOutput, geometry)],
    ],
    { ...geometry },
  );
}
