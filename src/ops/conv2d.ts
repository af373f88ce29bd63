import { record } from "../autograd/tape.ts";
import { conv2dBackwardWeight, conv2dBackwardInput, conv2dForward, type Conv2dOptions } from "../kernels/conv2d.ts";
import { NO_EPILOGUE, type ConvolutionOptions, type Epilogue } from "../kernels/convolution.ts";
import { depthwiseBackwardWeight, depthwiseBackwardInput, depthwiseForward } from "../kernels/depthwise_conv2d.ts";
import { readOptions } from "../runtime/options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { withActivation } from "./activation.ts";
import { sumTo } from "./reduce.ts";

export type { ConvolutionOptions, Epilogue };

const GEOMETRY = { stride: 1, padding: 0, dilation: 1 } as const;

/**
 * Two-dimensional convolution (cross-correlation) with zeros outside the image. Bias and activation run within the
 * kernel. Differentiable in input, weight and bias.
 *
 * @param input `[N, H, W, C]`, f32 or f16
 * @param weight `[R, S, C/groups, K]`, the input's dtype
 * @returns `[N, P, Q, K]`, with P = floor((H + padding - dilation (R - 1) - 1) / stride) + 1, Q likewise
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option out of range or unknown
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html
 */
export function conv2d(input: Tensor, weight: Tensor, options: Conv2dOptions & Epilogue = {}): Tensor {
  const { bias, activation, ...geometry } = readOptions<Required<Conv2dOptions & Epilogue>>("conv2d", options, {
    ...GEOMETRY,
    groups: 1,
    ...NO_EPILOGUE,
  });
  return withActivation(activation, [input, weight, bias], (fused) =>
    record(
      "conv2d",
      conv2dForward(input, weight, { bias, activation: fused }, geometry),
      [
        [input, (gradOutput) => conv2dBackwardInput(input, weight, gradOutput, geometry)],
        [weight, (gradOutput) => conv2dBackwardWeight(input, weight, gradOutput, geometry)],
        ...biasPullback(bias),
      ],
      { ...geometry, activation: fused },
    ),
  );
}

/**
 * Convolution of each channel with its own filter, with zeros outside the image. Bias and activation run within the
 * kernel. Differentiable in input, weight and bias.
 *
 * @param input `[N, H, W, C]`, f32 or f16
 * @param weight `[R, S, C]`, the input's dtype
 * @returns `[N, P, Q, C]`, extents as for `conv2d`
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option out of range or unknown
 */
export function depthwiseConv2d(input: Tensor, weight: Tensor, options: ConvolutionOptions & Epilogue = {}): Tensor {
  const { bias, activation, ...geometry } = readOptions<Required<ConvolutionOptions & Epilogue>>(
    "depthwiseConv2d",
    options,
    {
      ...GEOMETRY,
      ...NO_EPILOGUE,
    },
  );
  return withActivation(activation, [input, weight, bias], (fused) =>
    record(
      "depthwiseConv2d",
      depthwiseForward(input, weight, { bias, activation: fused }, geometry),
      [
        [input, (gradOutput) => depthwiseBackwardInput(input, weight, gradOutput, geometry)],
        [weight, (gradOutput) => depthwiseBackwardWeight(input, weight, gradOutput, geometry)],
        ...biasPullback(bias),
      ],
      { ...geometry, activation: fused },
    ),
  );
}

/** A bias's gradient: the sum over all positions to which it was added. */
export const biasPullback = (bias: Tensor | null): [Tensor, (gradOutput: Tensor) => Tensor][] =>
  bias ? [[bias, (gradOutput) => sumTo(gradOutput, bias.shape)]] : [];
