import { settleAs } from "../kernels/cast.ts";
import { drawFeatureBlocks, type FeatureBlockOptions } from "../kernels/feature_block_paste.ts";
import { gaussianBlurForward } from "../kernels/gaussian_blur.ts";
import { floatDType } from "../kernels/launch.ts";
import { readOptions } from "../runtime/options.ts";
import type { Draw } from "../kernels/random.ts";
import { shapeError } from "../runtime/errors.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { add } from "./elementwise.ts";

const BLUR = { size: 3, sigma: 0.8, border: "reflect" } as const;

/** Features with anomalies pasted in, and where they are. */
export interface PastedFeatures {
  /** The features with one blurred block added to every channel of each image, `[N, H, W, C]`. */
  readonly features: Tensor;
  /** `[N, H, W]`: 1 where a block was marked, 0 elsewhere. */
  readonly mask: Tensor;
}

/**
 * Feature Block Paste: disturbs each image's features in one irregular block, drawn by a random walk. Differentiable.
 *
 * @param features `[N, H, W, C]`, f32 or f16
 * @param draw which random numbers
 * @param options by default what GRAD does at 28 x 28: half sides up to 10 cells, intensities from 8 to 16, 100 steps
 * @throws ShapeError if the features are u32 or have another rank; OptionError if the block does not fit, or for an option unknown or
 * out of range
 * @see GRAD, Feature Block Paste
 */
export function featureBlockPaste(features: Tensor, draw: Draw, options: Partial<FeatureBlockOptions> = {}): PastedFeatures {
  const settings = readOptions<FeatureBlockOptions>("featureBlockPaste", options, { maxHalfSide: 10, intensity: [8, 16], steps: 100 });
  const dtype = floatDType("featureBlockPaste", { features });
  const [batch = 0, height = 0, width = 0] = features.shape;
  if (features.shape.length !== 4) shapeError("featureBlockPaste", "expected features [N,H,W,C]", { features });
  const { mask, paste } = drawFeatureBlocks(features.device, [batch, height, width], draw, settings);
  const blurred = gaussianBlurForward(viewOf(paste, [batch, height, width, 1]), BLUR);
  return { features: add(features, settleAs(blurred, dtype)), mask };
}
