// The method GRAD by itself: its model, its options, its training, and the operations that no other model uses.
export {
  featureBlockPaste,
  PUBLISHED_BLOCKS,
  type FeatureBlockOptions,
  type FeatureBlockPasteOptions,
  type PastedFeatures,
} from "../../ops/feature_block_paste.ts";
export {
  anomalyMap,
  cosinePairLoss,
  hingeLoss,
  reconstructionLoss,
  type HingeOptions,
  type HingeResult,
  type RefinementOptions,
} from "../../ops/losses.ts";
export { drawPairs, type FeaturePairs } from "../../ops/pairs.ts";
export { gradConfig, type GradConfig } from "./config.ts";
export { grad } from "./method.ts";
export { Grad } from "./model.ts";
export { GRAD_OPTIONS, type GradOptions } from "./options.ts";
export { GradTraining } from "./training.ts";
