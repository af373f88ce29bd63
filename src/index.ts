/**
 * Everything that runs wherever there is WebGPU, on a `GPUDevice` that it is handed: detectors, methods, backbones,
 * datasets, metrics, and all of `bigrid/core`.
 *
 * @module bigrid
 */
export * from "./core.ts";
export {
  recogniseDataset,
  type Dataset,
  type DatasetOptions,
  type DatasetClass,
  type FileListing,
  type Item,
  type SkippedPath,
} from "./data/dataset.ts";
export type { ClassSurvey, Finding, Survey, SurveyOptions } from "./data/survey.ts";
export { FORMATS, type FormatName } from "./data/layouts/layout.ts";
export type { Curve } from "./metrics/curve.ts";
export type { AnomalyMap } from "./io/anomaly_map.ts";
export type { Picture, PictureParts } from "./io/image.ts";
export { tilesOf, type Tiling } from "./io/tiling.ts";
export { maskContour } from "./io/contour.ts";
export { heatLayer, paintHeat, type HeatMap, type PaintOptions } from "./io/heat.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  toFloat32,
  type SafetensorsFile,
  type StoredTensor,
} from "./io/safetensors.ts";
export { aupro, proCurve } from "./metrics/aupro.ts";
export type { Interval, Intervals, Resampled } from "./metrics/bootstrap.ts";
export { rankingBounds, type Bounds, type RankingBounds } from "./metrics/bounds.ts";
export {
  evaluate,
  Evaluation,
  type Evaluated,
  type EvaluationOptions,
  type PixelMethod,
  type ScoredImage,
} from "./metrics/evaluate.ts";
export { meanMetrics, type MetricName, type Metrics } from "./metrics/metrics.ts";
export { PixelHistogram } from "./metrics/pixel_histogram.ts";
export { rankPixels, type PixelRanking, type ScoredMap } from "./metrics/pixels.ts";
export {
  auroc,
  averagePrecision,
  f1Max,
  precisionRecallCurve,
  rank,
  rocCurve,
  youden,
  type Ranking,
  type ThresholdValue,
} from "./metrics/ranking.ts";
export { NETWORK_PADDINGS } from "./backbones/backbone.ts";
export type { Backbone, BackboneIdentity, BackboneInput, NetworkPadding, Stage } from "./backbones/backbone.ts";
export {
  BACKBONES,
  createBackbone,
  type BackboneName,
  type BackboneOptions,
  type PretrainedName,
} from "./backbones/registry.ts";
export type { PretrainedWeights } from "./backbones/weights.ts";
export { calibratedScore, type Calibration, type GoodScores, type HeldOut } from "./detection/calibration.ts";
export { supportedRate } from "./detection/upper_bound.ts";
export { calibrateDetector, type CalibrateDetectorOptions } from "./detection/calibrate_detector.ts";
export { defectsOf, type Defect, type DefectOptions, type Defects } from "./detection/defects.ts";
export { Detector, type DetectorConfig, type DetectorOptions } from "./detection/detector.ts";
export type { DetectorInput } from "./detection/input.ts";
export type {
  FeatureInspection,
  FeatureRegions,
  ImageRegion,
  InputImage,
  Inspection,
  InspectionFailure,
  InspectOptions,
  TileProgress,
  TiledFeatures,
} from "./detection/inspection.ts";
export {
  evaluateDetector,
  type DetectorMetrics,
  type EvaluateDetectorOptions,
  type LabelledImage,
} from "./detection/evaluation.ts";
export {
  findSuspects,
  type RankedImage,
  type SuspectOptions,
  type SuspectProgress,
} from "./detection/find_suspects.ts";
export type { Spill } from "./detection/feature_store.ts";
export type { Preprocessing } from "./detection/features.ts";
export type { AnomalousImage } from "./detection/marked_cells.ts";
export { decodeDetector, encodeDetector, type DecodeDetectorOptions } from "./detection/model_file.ts";
export { PictureRegion } from "./detection/region.ts";
export type { ImageScores } from "./detection/scoring.ts";
export { continueTraining, type ContinuedTraining } from "./detection/continue_training.ts";
export {
  CONTINUATION_OPTIONS,
  type AddedImage,
  type ContinuationOptions,
  type EarlierTraining,
  type ImageRecord,
} from "./detection/continuation.ts";
export { trainDetector } from "./detection/train_detector.ts";
export type { GoodImage, Suspect } from "./detection/material.ts";
export { Training } from "./detection/training.ts";
export {
  TRAINING_OPTIONS,
  type TrainingOptions,
  type TrainingOptionsOf,
  type TrainingProgress,
  type TrainingStep,
} from "./detection/training_options.ts";
export type { GivenTiles, TrainingImage } from "./detection/views.ts";
export type {
  AnomalySource,
  Assembly,
  CellScores,
  ChannelChoice,
  Continuation,
  ContinuationKind,
  FeatureAssembly,
  FeatureExtents,
  FeatureSource,
  FeatureSpec,
  Fit,
  FitInput,
  FitState,
  FitStep,
  Json,
  JsonObject,
  MarkedFeatures,
  Method,
  MethodOptions,
  Model,
  Scoring,
  StagePlan,
} from "./methods/method.ts";
export { loadMethod, METHOD_NAMES, type MethodName } from "./methods/registry.ts";
export * as layers from "./nn/layers.ts";
export { Weights, type StoredTensors } from "./nn/weights.ts";
export {
  featureBlockPaste,
  PUBLISHED_BLOCKS,
  type FeatureBlockOptions,
  type FeatureBlockPasteOptions,
  type PastedFeatures,
} from "./ops/feature_block_paste.ts";
export {
  anomalyMap,
  cosinePairLoss,
  hingeLoss,
  reconstructionLoss,
  type HingeOptions,
  type HingeResult,
  type RefinementOptions,
} from "./ops/losses.ts";
export { drawPairs, type FeaturePairs } from "./ops/pairs.ts";
export { perlinMask, type PerlinMaskOptions } from "./ops/perlin_mask.ts";
export type { OptionSpec, OptionsOf, OptionTable } from "./runtime/option_table.ts";
