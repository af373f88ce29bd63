import * as kernels from "../kernels/pairs.ts";
import type { FeaturePairs } from "../kernels/pairs.ts";
import type { Draw } from "../kernels/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { FeaturePairs };

/**
 * Draws pairs of positions for `cosinePairLoss`: as many of one kind, both marked or both not, as of two. Where the
 * mask has none of a kind, a position beyond the last stands for it. Not differentiable.
 *
 * @param mask any shape, f32: 1 where marked, 0 elsewhere
 * @param count pairs of each sort, at least 1
 * @param draw which random numbers
 * @throws ShapeError if the mask is not f32; OptionError for a count out of range or a draw that is not of u32s
 * @see GRAD eq. 4, read literally
 */
export const drawPairs = (mask: Tensor, count: number, draw: Draw): FeaturePairs =>
  kernels.drawPairs(mask, count, draw);
