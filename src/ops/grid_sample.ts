import { record } from "../autograd/tape.ts";
import {
  gridSampleBackwardGrid,
  gridSampleBackwardInput,
  gridSampleForward,
  type GridSampleOptions,
} from "../kernels/grid_sample.ts";
import { readOptions } from "../runtime/options.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Samples an image at arbitrary positions. Differentiable in the input, and in the grid if bilinear (with "nearest" its
 * gradient is zero).
 *
 * @param input `[N, H, W, C]`, f32 or f16
 * @param grid `[N, P, Q, 2]`, f32: positions `(x, y)`, where [-1, 1] spans W and H
 * @returns `[N, P, Q, C]`, the input's dtype
 * @throws ShapeError if shapes or dtypes disagree with the above, or H or W is zero; OptionError for an option unknown
 *   or out of range
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
 */
export function gridSample(input: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const settings = readOptions<Required<GridSampleOptions>>("gridSample", options, {
    mode: "bilinear",
    paddingMode: "zeros",
    alignCorners: false,
  });
  const output = gridSampleForward(input, grid, settings);
  return record(
    "gridSample",
    output,
    [
      [input, (gradOutput) => gridSampleBackwardInput(input.shape, grid, gradOutput, settings)],
      [grid, (gradOutput) => gridSampleBackwardGrid(input, grid, gradOutput, settings)],
    ],
    settings,
  );
}
