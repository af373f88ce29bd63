import { record } from "../autograd/tape.ts";
import { hingeLossBackward, hingeLossForward } from "../kernels/hinge_loss.ts";
import { reconstructionLossBackward, reconstructionLossForward, reconstructionScore } from "../kernels/reconstruction_loss.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { mean } from "./reduce.ts";
import { slice } from "./shape.ts";

export interface RefinementOptions {
  /** Squared error, mean over channels, up to which a position counts as similar. In squared units of the features. */
  readonly threshold: number;
}

/**
 * The mean refined squared error of a reconstruction: (1 - s)^2 mse at each position, where the similarity s is
 * 0.3 [mse <= threshold] + 0.7 cosine. Differentiable in `reconstruction`.
 *
 * @param target `[..., C]`, f32
 * @param reconstruction the target's shape, f32
 * @returns one element `[1, ..., 1]`
 * @throws ShapeError if the shapes differ
 * @see GRAD, similarity-based refinement
 */
export function reconstructionLoss(target: Tensor, reconstruction: Tensor, { threshold }: RefinementOptions): Tensor {
  const perPosition = record("reconstructionLoss", reconstructionLossForward(target, reconstruction, threshold), [
    [reconstruction, (gradLoss) => reconstructionLossBackward(target, reconstruction, gradLoss, threshold)],
  ]);
  return mean(perPosition);
}

/**
 * The anomaly map: refined distance (1 - s) |r - a| at each position, s as for `reconstructionLoss`. Not differentiable.
 *
 * @param target `[..., C]`, f32
 * @param reconstruction the target's shape, f32
 * @returns `[...]`, f32, >= 0, in units of the features
 * @throws ShapeError if the shapes differ
 */
export function anomalyMap(target: Tensor, reconstruction: Tensor, { threshold }: RefinementOptions): Tensor {
  return reconstructionScore(target, reconstruction, threshold);
}

export interface HingeResult {
  /** `[1]`, differentiable in the scores. */
  readonly loss: Tensor;
  /** `[2]`: share of the marked positions beyond +threshold, share of the others beyond -threshold. */
  readonly hits: Tensor;
}

/**
 * Truncated L1: pushes scores above `threshold` where marked and below `-threshold` elsewhere; the mean over the marked
 * plus the mean over the others.
 *
 * @param scores any shape, f32
 * @param mask the scores' shape, f32: 1 where marked, 0 elsewhere
 * @throws ShapeError if the shapes differ
 * @see GRAD eq. 4; SimpleNet, truncated L1 loss
 */
export function hingeLoss(scores: Tensor, mask: Tensor, threshold = 0.5): HingeResult {
  const { summary, totals } = hingeLossForward(scores, mask, threshold);
  const row = viewOf(summary, [1, 3]);
  const loss = record("hingeLoss", viewOf(slice(row, 0, 1), [1]), [
    [scores, (gradLoss) => hingeLossBackward(scores, mask, totals, gradLoss, threshold)],
  ]);
  return { loss, hits: viewOf(slice(row, 1, 2), [2]) };
}
