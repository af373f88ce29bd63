import { record } from "../autograd/tape.ts";
import { conv2dBackwardFilters, conv2dBackwardInput, conv2dForward, type Conv2dOptions } from "../kernels/conv2d.ts";
import type { ConvolutionOptions } from "../kernels/convolution.ts";
import { depthwiseBackwardFilters, depthwiseBackwardInput, depthwiseForward } from "../kernels/depthwise_conv2d.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Two-dimensional convolution (cross-correlation); outside the image is zero. Differentiable in both arguments.
 *
 * @param input `[N, H, W, C]`, f32
 * @param filters `[R, S, C/groups, K]`, f32
 * @returns `[N, P, Q, K]`, f32, with P = floor((H + padding - dilation (R - 1) - 1) / stride) + 1, Q likewise
 * @throws ShapeError if shapes disagree with the above; OptionError for an option out of range
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
 */
export function conv2d(input: Tensor, filters: Tensor, options: Conv2dOptions = {}): Tensor {
  return record("conv2d", conv2dForward(input, filters, options), [
    [input, (gradOutput) => conv2dBackwardInput(input, filters, gradOutput, options)],
    [filters, (gradOutput) => conv2dBackwardFilters(input, filters, gradOutput, options)],
  ]);
}

/**
 * Convolution of each channel with a filter of its own; outside the image is zero. Differentiable in both arguments.
 *
 * @param input `[N, H, W, C]`, f32
 * @param filters `[R, S, C]`, f32
 * @returns `[N, P, Q, C]`, f32, extents as for `conv2d`
 * @throws ShapeError if shapes disagree with the above; OptionError for an option out of range
 */
export function depthwiseConv2d(input: Tensor, filters: Tensor, options: ConvolutionOptions = {}): Tensor {
  return record("depthwiseConv2d", depthwiseForward(input, filters, options), [
    [input, (gradOutput) => depthwiseBackwardInput(input, filters, gradOutput, options)],
    [filters, (gradOutput) => depthwiseBackwardFilters(input, filters, gradOutput, options)],
  ]);
}
