import { gaussianBlurForward, type GaussianBlurOptions } from "../kernels/gaussian_blur.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Gaussian blur; the border is mirrored about the outermost pixels. Not differentiable.
 *
 * @param input `[N, H, W, C]`, f32
 * @returns the input's shape
 * @throws ShapeError if the input has another rank; OptionError if size is even or larger than the image allows, or sigma <= 0
 * @see torchvision.transforms.functional.gaussian_blur
 */
export function gaussianBlur(input: Tensor, options: GaussianBlurOptions): Tensor {
  return gaussianBlurForward(input, options);
}
