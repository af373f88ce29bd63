import { activation, relu } from "../../ops/activation.ts";
import { add, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { hingeLoss } from "../../ops/losses.ts";
import { mean } from "../../ops/reduce.ts";
import { concat, reshape } from "../../ops/shape.ts";
import { fromArray, type Tensor } from "../../tensor/tensor.ts";
import type { SimpleNetModel } from "./model.ts";

/** The noise of a step. */
export interface Disturbance {
  /** `[N, H, W, C]`, of a copy of the batch; with a mask `[2N, H, W, C]`, of both. */
  readonly noise: Tensor;
  /** `[2N, H, W]`: 1 where it is added to the two copies of the batch. Null: to the second, everywhere. */
  readonly mask: Tensor | null;
}

/**
 * The loss `[1]` of a batch: adapted features and copies of them with noise go through the discriminator in one pass,
 * so that they share the statistics of its norm. Truncated L1 pushes scores of noisy cells above the margin and those
 * of the others below its negative; with a mask, a focal loss is added.
 * @param features `[N, H, W, C]`
 */
export function simpleNetLoss(
  model: SimpleNetModel,
  features: Tensor,
  { noise, mask }: Disturbance,
  margin: number,
): Tensor {
  const [images, height, width] = features.shape as [number, number, number];
  const adapted = model.adapt(features);
  const copies = [2 * images, height, width];
  const seen = mask
    ? add(concat([adapted, adapted], 0), multiply(noise, reshape(mask, [...copies, 1])))
    : concat([adapted, add(adapted, noise)], 0);
  const scores = model.discriminate(seen);
  const cells = images * height * width;
  const marks = mask ?? fromArray(features.device, copies, new Float32Array(2 * cells).fill(1, cells));
  const { loss } = hingeLoss(scores, marks, { threshold: margin });
  return mask ? add(loss, focalLoss(scores, marks)) : loss;
}

/**
 * The focal loss `[1]` of scores as log odds of a mark, of exponent 4: the mean of sigmoid(u)^4 log(1 + e^u), where u is
 * the score of a cell without a mark, and the negative one of a marked cell.
 * @param scores any shape
 * @param marks the scores' shape: 1 where marked, 0 elsewhere
 * @see Lin et al., "Focal loss for dense object detection", 2017
 */
export function focalLoss(scores: Tensor, marks: Tensor): Tensor {
  const number = (value: number): Tensor => scalar(scores.device, value);
  const wrong = multiply(scores, subtract(number(1), multiply(marks, number(2))));
  // log(1 + e^u) = max(0, u) + log(1 + e^-|u|), which does not overflow
  const shrunk = activation(multiply(activation(wrong, "abs"), number(-1)), "exp");
  const likelihood = add(relu(wrong), activation(add(shrunk, number(1)), "log"));
  const doubt = activation(activation(activation(wrong, "sigmoid"), "square"), "square");
  return reshape(mean(multiply(doubt, likelihood)), [1]);
}
