import { record } from "../autograd/tape.ts";
import {
  hingeLossBackward,
  hingeLossForward,
  LOSS_REDUCTIONS,
  type HingeSettings,
  type LossReduction,
} from "../kernels/hinge_loss.ts";
import { requireDType, requireOneDevice, requireShape } from "../kernels/launch.ts";
import { choiceOf, readOptions } from "../runtime/options.ts";
import { mseLossBackward, mseLossForward } from "../kernels/mse_loss.ts";
import {
  reconstructionLossBackward,
  reconstructionLossForward,
  reconstructionScore,
} from "../kernels/reconstruction_loss.ts";
import { OptionError, shapeError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { gather } from "./gather.ts";
import { mean, sum } from "./reduce.ts";
import { cosineSimilarity } from "./rows.ts";
import { reshape, slice } from "./shape.ts";

export type { LossReduction };

/** Reduction of elementwise losses. */
export interface LossOptions {
  /** The mean of all losses, their sum, or none. Default "mean". */
  readonly reduction?: LossReduction;
}

/**
 * Squared differences. Differentiable in both.
 *
 * @param input any shape, f32 or f16
 * @param target the input's shape and dtype
 * @returns f32: `[1]`, or the input's shape if losses are not reduced
 * @throws ShapeError if the shapes, dtypes or devices differ; OptionError for an option unknown or out of range
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
 */
export function mseLoss(input: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  const { reduction } = readOptions<Required<LossOptions>>("mseLoss", options, { reduction: "mean" });
  requireReduction("mseLoss", reduction);
  const losses = record("mseLoss", mseLossForward(input, target), [
    [input, (gradLoss) => mseLossBackward(input, target, gradLoss, 2)],
    [target, (gradLoss) => mseLossBackward(input, target, gradLoss, -2)],
  ]);
  return reduced(losses, reduction);
}

/** Threshold of similarity. */
export interface RefinementOptions {
  /**
   * Largest squared error, mean over channels, at which a position counts as similar. In squared units of the features.
   * Default 10.
   */
  readonly threshold?: number;
}

/**
 * The refined squared error of a reconstruction: (1 - s)^2 mse at each position, where the similarity s is 0.3 [mse <=
 * threshold] + 0.7 cosine. Differentiable in `reconstruction`.
 *
 * @param target `[..., C]`, f32 or f16
 * @param reconstruction the target's shape and dtype
 * @returns f32: `[1]`, or `[...]` if losses are not reduced
 * @throws ShapeError if the shapes, dtypes or devices differ; OptionError for an option unknown or out of range
 * @see GRAD, similarity-based refinement
 */
export function reconstructionLoss(
  target: Tensor,
  reconstruction: Tensor,
  options: RefinementOptions & LossOptions = {},
): Tensor {
  const { threshold, reduction } = readOptions<Required<RefinementOptions & LossOptions>>(
    "reconstructionLoss",
    options,
    {
      threshold: 10,
      reduction: "mean",
    },
  );
  requireReduction("reconstructionLoss", reduction);
  requireThreshold("reconstructionLoss", threshold);
  const perPosition = record("reconstructionLoss", reconstructionLossForward(target, reconstruction, threshold), [
    [reconstruction, (gradLoss) => reconstructionLossBackward(target, reconstruction, gradLoss, threshold)],
  ]);
  return reduced(perPosition, reduction);
}

/**
 * The anomaly map: refined distance (1 - s) |r - a| at each position, s as for `reconstructionLoss`. Not
 * differentiable.
 *
 * @param target `[..., C]`, f32 or f16
 * @param reconstruction the target's shape and dtype
 * @returns `[...]`, f32, >= 0, in units of the features
 * @throws ShapeError if the shapes, dtypes or devices differ; OptionError for an option unknown or out of range
 */
export function anomalyMap(target: Tensor, reconstruction: Tensor, options: RefinementOptions = {}): Tensor {
  const { threshold } = readOptions<Required<RefinementOptions>>("anomalyMap", options, { threshold: 10 });
  requireThreshold("anomalyMap", threshold);
  return record(
    "anomalyMap",
    reconstructionScore(target, reconstruction, threshold),
    [
      [target, null],
      [reconstruction, null],
    ],
    { threshold },
  );
}

/** Threshold and reduction of the hinge loss. */
export interface HingeOptions extends LossOptions {
  /** Margin: distance from zero that a score must have on its side. Default 0.5. */
  readonly threshold?: number;
}

/** A loss, and the shares of positions that already satisfy it. */
export interface HingeResult {
  /** f32: `[1]`, or the scores' shape if losses are not reduced. Differentiable in the scores. */
  readonly loss: Tensor;
  /** `[2]`: share of the marked positions beyond +threshold, share of the others beyond -threshold. */
  readonly hits: Tensor;
}

/**
 * Truncated L1: pushes scores above `threshold` where marked and below `-threshold` elsewhere. Its mean is the mean
 * over the marked plus the mean over the others.
 *
 * @param scores any shape, f32 or f16
 * @param mask the scores' shape, f32: 1 where marked, 0 elsewhere
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option unknown or out of range
 * @see GRAD eq. 4; SimpleNet, truncated L1 loss
 */
export function hingeLoss(scores: Tensor, mask: Tensor, options: HingeOptions = {}): HingeResult {
  return hingeOf("hingeLoss", scores, mask, settingsOf("hingeLoss", options));
}

/**
 * Truncated L1 on the cosine of pairs of features: pushes that of similar pairs above `threshold`, that of the others
 * below `-threshold`. Differentiable in the features.
 *
 * @param features `[M, C]`, f32 or f16
 * @param pairs `[K, 2]`, u32: rows of the features; a row out of range counts as zeros
 * @param similar `[K]`, f32: 1 for similar pairs, 0 for others
 * @returns losses `[1]`, or `[K]` if they are not reduced; hits among the similar, among the others
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option unknown or out of range
 * @see GRAD eq. 4, read literally
 */
export function cosinePairLoss(
  features: Tensor,
  pairs: Tensor,
  similar: Tensor,
  options: HingeOptions = {},
): HingeResult {
  const settings = settingsOf("cosinePairLoss", options);
  const tensors = { features, pairs, similar };
  if (features.shape.length !== 2) shapeError("cosinePairLoss", "expected features [M,C]", tensors);
  requireDType("cosinePairLoss", "u32", { pairs });
  requireOneDevice("cosinePairLoss", tensors);
  if (pairs.shape.length !== 2 || pairs.shape[1] !== 2) shapeError("cosinePairLoss", "expected pairs [K,2]", tensors);
  requireShape("cosinePairLoss", "similar", [pairs.shape[0]!], tensors);
  const side = (index: number): Tensor => gather(features, reshape(slice(pairs, index, 1), [pairs.shape[0]!]));
  return hingeOf("cosinePairLoss", cosineSimilarity(side(0), side(1)), similar, settings);
}

function settingsOf(op: string, options: HingeOptions): HingeSettings {
  const settings = readOptions<Required<HingeOptions>>(op, options, { threshold: 0.5, reduction: "mean" });
  requireReduction(op, settings.reduction);
  if (!Number.isFinite(settings.threshold))
    throw new OptionError(`${op}: expected a finite threshold, got ${settings.threshold}`);
  return settings;
}

function hingeOf(op: string, scores: Tensor, mask: Tensor, settings: HingeSettings): HingeResult {
  const { positions, summary, totals } = hingeLossForward(op, scores, mask, settings);
  const loss = record(op, positions ?? slice(summary, 0, 1), [
    [scores, (gradLoss) => hingeLossBackward(op, scores, mask, totals, gradLoss, settings)],
  ]);
  return { loss, hits: slice(summary, 1, 2) };
}

function reduced(losses: Tensor, reduction: LossReduction): Tensor {
  if (reduction === "none") return losses;
  return reshape((reduction === "mean" ? mean : sum)(losses), [1]);
}

function requireReduction(op: string, reduction: string): void {
  choiceOf(op, "reduction", LOSS_REDUCTIONS, reduction);
}

function requireThreshold(op: string, threshold: number): void {
  if (!(threshold >= 0 && threshold < Infinity))
    throw new OptionError(`${op}: expected a threshold of at least 0, got ${threshold}`);
}
