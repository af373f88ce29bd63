import { record } from "../autograd/tape.ts";
import { type Pair } from "../kernels/launch.ts";
import { readOptions } from "../runtime/options.ts";
import {
  averagePoolBackwardInput,
  averagePoolForward,
  maxPoolBackwardInput,
  maxPoolForward,
  type AveragePoolOptions,
  type MaxPoolOptions,
} from "../kernels/pool.ts";
import { shapeError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { max, mean } from "./reduce.ts";

/**
 * The mean over a sliding window, with zeros outside the image. Differentiable in input.
 *
 * @param input `[N, H, W, C]`, f32 or f16, H and W at least 1
 * @param window height and width, pixels
 * @returns `[N, P, Q, C]`, the input's dtype, with P = floor((H + 2 padding - window) / stride) + 1, Q likewise
 * @throws ShapeError if the input has another rank or no pixels; OptionError for an option out of range or unknown
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
 */
export function averagePool(input: Tensor, window: Pair, options: AveragePoolOptions = {}): Tensor {
  const geometry = readOptions<Required<AveragePoolOptions>>("averagePool", options, {
    stride: window,
    padding: 0,
    countIncludePad: true,
  });
  return record(
    "averagePool",
    averagePoolForward(input, window, geometry),
    [[input, (gradOutput) => averagePoolBackwardInput(input, gradOutput, window, geometry)]],
    { window, ...geometry },
  );
}

/**
 * The maximum over a sliding window, of the pixels inside the image. Differentiable in input: of equal maxima in a
 * window, the first in row order gets the gradient.
 *
 * @param input `[N, H, W, C]`, f32 or f16, H and W at least 1
 * @param window height and width, pixels
 * @returns `[N, P, Q, C]`, the input's dtype, extents as for `averagePool`
 * @throws ShapeError if the input has another rank or no pixels; OptionError for an option out of range or unknown
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html
 */
export function maxPool(input: Tensor, window: Pair, options: MaxPoolOptions = {}): Tensor {
  const geometry = readOptions<Required<MaxPoolOptions>>("maxPool", options, { stride: window, padding: 0 });
  return record(
    "maxPool",
    maxPoolForward(input, window, geometry),
    [[input, (gradOutput) => maxPoolBackwardInput(input, gradOutput, window, geometry)]],
    { window, ...geometry },
  );
}

/**
 * The mean over each image. Differentiable in input.
 *
 * @param input `[N, H, W, C]`, f32 or f16, H and W at least 1
 * @returns `[N, 1, 1, C]`, the input's dtype
 * @throws ShapeError if the input has another rank or no pixels
 */
export function globalAveragePool(input: Tensor): Tensor {
  requireImages("globalAveragePool", input);
  return mean(input, [1, 2]);
}

/**
 * The maximum over each image. Differentiable in input: equal maxima share the gradient.
 *
 * @param input `[N, H, W, C]`, f32 or f16, H and W at least 1
 * @returns `[N, 1, 1, C]`, the input's dtype
 * @throws ShapeError if the input has another rank or no pixels
 */
export function globalMaxPool(input: Tensor): Tensor {
  requireImages("globalMaxPool", input);
  return max(input, [1, 2]);
}

function requireImages(op: string, input: Tensor): void {
  const [, height = 0, width = 0] = input.shape;
  if (input.shape.length !== 4 || height * width === 0)
    shapeError(op, "expected input [N,H,W,C] with H, W > 0", { input });
}
