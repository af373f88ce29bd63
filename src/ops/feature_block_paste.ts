import { record } from "../autograd/tape.ts";
import {
  PASTE_DIRECTIONS,
  PASTE_DRAWS,
  PASTE_SIGNS,
  PASTE_SOURCES,
  pasteFeatureBlocks,
  requireBlocks,
  WALKS,
  type FeatureBlockOptions,
} from "../kernels/feature_block_paste.ts";
import { readOptions } from "../runtime/options.ts";
import type { Draw } from "../kernels/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

export { PASTE_DIRECTIONS, PASTE_DRAWS, PASTE_SIGNS, PASTE_SOURCES, requireBlocks, WALKS, type FeatureBlockOptions };

/** Features with pasted anomalies, and the anomalies' mask. */
export interface PastedFeatures {
  /** The features, `[N, H, W, C]`, with the blocks of each image. */
  readonly features: Tensor;
  /** `[N, H, W]`: 1 where a block was marked, 0 elsewhere. */
  readonly mask: Tensor;
}

/** The settings published for GRAD, for 28 x 28 cells. */
export const PUBLISHED_BLOCKS: FeatureBlockOptions = {
  walk: "code",
  steps: 100,
  maxHalfSide: 10,
  region: [0, 0, 1, 1],
  count: 1,
  per: "image",
  intensity: [8, 16],
  blurSigma: 0.8,
  blurRadius: 1,
  direction: "equal",
  shared: [0, 1],
  signs: "none",
  source: "images",
};

/** Options of `featureBlockPaste`. */
export interface FeatureBlockPasteOptions extends Partial<FeatureBlockOptions> {
  /** `[C]`, f32: each channel's standard deviation, for random directions. Null or nothing: 1. */
  readonly std?: Tensor | null;
}

/**
 * Feature Block Paste: disturbs each image's features in irregular blocks drawn by random walks. Differentiable in the
 * features; the additions count as constants.
 *
 * @param features `[N, H, W, C]`, f32 or f16
 * @param draw identifies the random numbers
 * @param options by default `PUBLISHED_BLOCKS`, and a standard deviation of 1
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError if the block does not fit, or for an
 *   option unknown or out of range
 * @see GRAD, Feature Block Paste
 */
export function featureBlockPaste(
  features: Tensor,
  draw: Draw,
  options: FeatureBlockPasteOptions = {},
): PastedFeatures {
  const { std, ...settings } = readOptions<Required<FeatureBlockPasteOptions>>("featureBlockPaste", options, {
    ...PUBLISHED_BLOCKS,
    std: null,
  });
  const pasted = pasteFeatureBlocks(features, std, draw, settings);
  return {
    ...pasted,
    features: record("featureBlockPaste", pasted.features, [[features, (gradOutput) => gradOutput]]),
  };
}
