import { activation } from "../../ops/activation.ts";
import { add, divide, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { gaussianBlur } from "../../ops/gaussian_blur.ts";
import { averagePool } from "../../ops/pool.ts";
import { mean } from "../../ops/reduce.ts";
import { resize } from "../../ops/resize.ts";
import { concat, reshape, slice } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

const SCALES = 4;
const STABLE = 0.0026; // c of the gradients' similarity
const LEAST_SQUARE = 1e-8; // under the root, whose slope at 0 is infinite
const [STABLE_MEAN, STABLE_VARIANCE] = [0.01 ** 2, 0.03 ** 2]; // of the structural similarity
const WINDOW = { size: 11, sigma: 1.5, border: "zeros" } as const;

const square = (x: Tensor): Tensor => multiply(x, x);

/** Images with their outermost pixels repeated once on each side of an axis. */
const repeated = (images: Tensor, axis: 1 | 2): Tensor =>
  concat([slice(images, 0, 1, axis), images, slice(images, images.shape[axis]! - 1, 1, axis)], axis);

/** The squared magnitude of Prewitt's gradient of `[N, h, w, 1]`, and a little. */
function squaredGradient(grey: Tensor): Tensor {
  const wide = repeated(repeated(grey, 1), 2);
  const [, height, width] = grey.shape as [number, number, number];
  // means of three rows less those two further, and the same of columns: Prewitt's filters by 1/3
  const rows = averagePool(wide, [1, 3], { stride: 1 });
  const columns = averagePool(wide, [3, 1], { stride: 1 });
  const down = subtract(slice(rows, 2, height, 1), slice(rows, 0, height, 1));
  const right = subtract(slice(columns, 2, width, 2), slice(columns, 0, width, 2));
  return add(add(square(down), square(right)), scalar(grey.device, LEAST_SQUARE));
}

/**
 * One less the similarity of two images' gradient magnitudes g and g' at each of four scales: (g - g')^2 / (g^2 + g'^2 +
 * c), which is 1 - (2 g g' + c) / (g^2 + g'^2 + c).
 * @param images `[N, H, W, C]`
 * @returns `[N, h, w, 1]`, from 0 to 1, where each scale has half of the extents of the last one
 * @see Xue et al., "Gradient magnitude similarity deviation", 2014
 */
export function gradientDeviations(images: Tensor, others: Tensor): Tensor[] {
  const deviations: Tensor[] = [];
  let pair = [mean(images, [3]), mean(others, [3])] as const;
  for (let scale = 0; scale < SCALES; scale++) {
    if (scale > 0) pair = [averagePool(pair[0], 2), averagePool(pair[1], 2)];
    const [own, other] = [squaredGradient(pair[0]), squaredGradient(pair[1])];
    const difference = subtract(activation(own, "sqrt"), activation(other, "sqrt"));
    deviations.push(divide(square(difference), add(add(own, other), scalar(images.device, STABLE))));
  }
  return deviations;
}

/** The mean of the deviations at all scales, `[1]`. */
export function gradientLoss(images: Tensor, others: Tensor): Tensor {
  const means = gradientDeviations(images, others).map((deviation) => reshape(mean(deviation), [1]));
  return mean(concat(means));
}

/** The mean of the deviations at all scales, brought to the images' extents: `[N, H, W, 1]`, from 0 to 1. */
export function gradientMap(images: Tensor, others: Tensor): Tensor {
  const [, height, width] = images.shape as [number, number, number];
  const enlarged = gradientDeviations(images, others).map((deviation, scale) =>
    scale === 0 ? deviation : resize(deviation, [height, width]),
  );
  return multiply(enlarged.reduce(add), scalar(images.device, 1 / SCALES));
}

/**
 * One less the structural similarity of images, mean over pixels and channels: `[1]`.
 * @param images `[N, H, W, C]`
 * @see Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004
 */
export function structuralLoss(images: Tensor, others: Tensor): Tensor {
  const number = (value: number): Tensor => scalar(images.device, value);
  const blur = (x: Tensor): Tensor => gaussianBlur(x, WINDOW);
  const twice = (x: Tensor): Tensor => multiply(x, number(2));
  const [m, n] = [blur(images), blur(others)];
  const [mm, nn, mn] = [square(m), square(n), multiply(m, n)];
  const variances = subtract(add(blur(square(images)), blur(square(others))), add(mm, nn));
  const covariance = subtract(blur(multiply(images, others)), mn);
  const above = multiply(add(twice(mn), number(STABLE_MEAN)), add(twice(covariance), number(STABLE_VARIANCE)));
  const below = multiply(add(add(mm, nn), number(STABLE_MEAN)), add(variances, number(STABLE_VARIANCE)));
  return subtract(number(1), reshape(mean(divide(above, below)), [1]));
}
