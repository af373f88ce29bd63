import { record } from "../autograd/tape.ts";
import { gridSampleBackwardGrid, gridSampleBackwardInput, gridSampleForward, type GridSampleOptions } from "../kernels/grid_sample.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Samples an image at arbitrary positions with bilinear interpolation; outside the image is zero.
 * Differentiable in both arguments.
 *
 * @param input `[N, H, W, C]`, f32
 * @param grid `[N, P, Q, 2]`, f32: positions `(x, y)`, where [-1, 1] spans W and H
 * @returns `[N, P, Q, C]`, f32
 * @throws ShapeError if shapes or dtypes disagree with the above, or H or W is zero
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
 */
export function gridSample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const output = gridSampleForward(input, grid, options);
  return record("gridSample", output, [
    [input, (gradOutput) => gridSampleBackwardInput(input.shape, grid, gradOutput, options)],
    [grid, (gradOutput) => gridSampleBackwardGrid(input, grid, gradOutput, options)],
  ]);
}
