import { record } from "../autograd/tape.ts";
import { gaussianBlurBackwardInput, gaussianBlurForward, type GaussianBlurOptions } from "../kernels/gaussian_blur.ts";
import { readOptions } from "../runtime/options.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Gaussian blur, over a window that may be larger than the image. Differentiable in input.
 *
 * @param input `[N, H, W, C]`, f32 or f16
 * @returns the input's shape and dtype
 * @throws ShapeError if the input has another rank; OptionError if size is not an odd number of pixels, if sigma is not
 *   positive and finite, or for an unknown option
 * @see https://pytorch.org/vision/stable/generated/torchvision.transforms.functional.gaussian_blur.html
 */
export function gaussianBlur(input: Tensor, options: GaussianBlurOptions): Tensor {
  const how = readOptions<Required<GaussianBlurOptions>>("gaussianBlur", options, {
    size: NaN,
    sigma: NaN,
    border: "reflect",
  });
  return record(
    "gaussianBlur",
    gaussianBlurForward(input, how),
    [[input, (gradOutput) => gaussianBlurBackwardInput(input, gradOutput, how)]],
    how,
  );
}
