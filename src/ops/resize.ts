import { record } from "../autograd/tape.ts";
import { readOptions } from "../runtime/options.ts";
import { resizeBackwardInput, resizeForward, type ResizeOptions, type Size } from "../kernels/resize.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Resizes images, bilinearly or to the nearest pixel, by any ratio. Differentiable in input.
 *
 * @param input `[N, H, W, C]`, f32 or f16, H and W at least 1
 * @param size `[P, Q]`, pixels
 * @returns `[N, P, Q, C]`, the input's dtype
 * @throws ShapeError if the input has another rank or no pixels; OptionError if the size is not whole and positive, if
 *   the product of an extent before and after is 2^29 or more, for an option out of range or unknown, and for
 *   `antialias` with another mode than "bilinear" or with `alignCorners`
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
 */
export function resize(input: Tensor, size: Size, options: ResizeOptions = {}): Tensor {
  const how = readOptions<Required<ResizeOptions>>("resize", options, {
    mode: "bilinear",
    alignCorners: false,
    antialias: false,
  });
  return record(
    "resize",
    resizeForward(input, size, how),
    [[input, (gradOutput) => resizeBackwardInput(input, gradOutput, size, how)]],
    how,
  );
}
