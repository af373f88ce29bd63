import { resizeForward, type ResizeOptions } from "../kernels/resize.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Bilinear resizing, for enlarging or for shrinking by less than two. Not differentiable.
 *
 * @param input `[N, H, W, C]`, f32
 * @param size `[P, Q]`, pixels
 * @returns `[N, P, Q, C]`, f32
 * @throws ShapeError if the input has another rank or no pixels; OptionError if the size is not whole and positive
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
 */
export function resize(input: Tensor, size: readonly [number, number], options: ResizeOptions = {}): Tensor {
  if (!size.every((extent) => Number.isInteger(extent) && extent > 0)) throw new OptionError(`resize: expected whole, positive extents, got ${size.join("x")}`);
  return resizeForward(input, size, options);
}
