import { drawFeatureBlocks, type FeatureBlockOptions } from "../kernels/feature_block_paste.ts";
import { gaussianBlurForward } from "../kernels/gaussian_blur.ts";
import type { Draw } from "../kernels/random.ts";
import { shapeError } from "../runtime/errors.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { add } from "./elementwise.ts";

const BLUR = { size: 3, sigma: 0.8, border: "reflect" } as const;

export interface PastedFeatures {
  /** The features with one blurred block added to every channel of each image, `[N, H, W, C]`. */
  readonly features: Tensor;
  /** `[N, H, W]`: 1 where a block was marked, 0 elsewhere. */
  readonly mask: Tensor;
}

/**
 * Feature Block Paste: disturbs each image's features in one irregular block, drawn by a random walk.
 *
 * @param features `[N, H, W, C]`, f32
 * @param draw which random numbers
 * @throws ShapeError if the features have another rank; OptionError if the block does not fit
 * @see GRAD, Feature Block Paste
 */
export function featureBlockPaste(features: Tensor, draw: Draw, options: FeatureBlockOptions): PastedFeatures {
  const [batch = 0, height = 0, width = 0] = features.shape;
  if (features.shape.length !== 4) shapeError("featureBlockPaste", "expected features [N,H,W,C]", { features });
  const { mask, paste } = drawFeatureBlocks(features.device, [batch, height, width], draw, options);
  return { features: add(features, gaussianBlurForward(viewOf(paste, [batch, height, width, 1]), BLUR)), mask };
}
