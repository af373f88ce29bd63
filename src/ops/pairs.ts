import * as kernels from "../kernels/pairs.ts";
import type { FeaturePairs } from "../kernels/pairs.ts";
import type { Draw } from "../kernels/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { FeaturePairs };

/**
 * Draws pairs of positions for `cosinePairLoss`: `count` pairs of the same kind (both marked or both unmarked) and as
 * many of different kinds. If the mask lacks a kind, an index past the last position stands for it. Not differentiable.
 *
 * @param mask any shape, f32: 1 where marked, 0 elsewhere
 * @param count pairs of each label, at least 1
 * @param draw identifies the random numbers
 * @throws ShapeError if the mask is not f32; OptionError for a count out of range or a draw of numbers that are not u32
 * @see GRAD eq. 4, read literally
 */
export const drawPairs = (mask: Tensor, count: number, draw: Draw): FeaturePairs =>
  kernels.drawPairs(mask, count, draw);
