import { averagePoolForward, type AveragePoolOptions } from "../kernels/average_pool.ts";
import type { Pair } from "../kernels/launch.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * The mean over a sliding window. Not differentiable.
 *
 * @param input `[N, H, W, C]`, f32
 * @param window height and width, pixels
 * @returns `[N, P, Q, C]`, f32
 * @throws ShapeError if the input has another rank; OptionError for an option out of range
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html
 */
export function averagePool(input: Tensor, window: Pair, options: AveragePoolOptions = {}): Tensor {
  return averagePoolForward(input, window, options);
}
