import { record } from "../autograd/tape.ts";
import { concatForward, sliceForward } from "../kernels/concat.ts";
import { momentsOf, normBackward, normForward, updateRunning, type NormGradients } from "../kernels/batch_norm.ts";
import { requireDType, requireShape } from "../kernels/launch.ts";
import type { Middle } from "../kernels/reduce.ts";
import { ShapeError } from "../runtime/errors.ts";
import { countOf, viewOf, type Tensor } from "../tensor/tensor.ts";


export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of this batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

/**
 * Batch norm with the statistics of this batch, per channel over all other axes; moves the running statistics, in place.
 * Differentiable in `input` and `affine`.
 *
 * @param input `[..., C]`, f32, at least two positions
 * @param affine `[2, C]`, f32: weight and bias
 * @param running `[2, C]`, f32: running mean and unbiased variance
 * @returns the input's shape
 * @throws ShapeError if shapes disagree with the above
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
 */
export function batchNorm(input: Tensor, affine: Tensor, running: Tensor, { eps = 1e-5, momentum = 0.1 }: BatchNormOptions = {}): Tensor {
  const middle = rowsOf(input, affine, running);
  if (middle.extent < 2) throw new ShapeError(`batchNorm: expected at least two positions to take statistics of, got input [${input.shape.join(",")}]`);
  const options = { eps, correction: 0 } as const;
  const statistics = momentsOf(input, middle, options);
  updateRunning(running, statistics, middle, options, momentum);
  const output = normForward(input, statistics, affine, middle, options);
  const backward = once((gradOutput: Tensor) => normBackward(input, statistics, affine, gradOutput, middle, options));
  return record("batchNorm", output, [
    [input, (gradOutput) => backward(gradOutput).gradInput],
    [affine, (gradOutput) => gradAffine(backward(gradOutput), middle.channels)],
  ]);
}

/**
 * Batch norm with given statistics, as after training. Not differentiable.
 *
 * @param input `[..., C]`, f32
 * @param affine `[2, C]`, f32: weight and bias
 * @param running `[2, C]`, f32: mean and variance
 * @returns the input's shape
 * @throws ShapeError if shapes disagree with the above
 */
export function batchNormInference(input: Tensor, affine: Tensor, running: Tensor, { eps = 1e-5 }: Pick<BatchNormOptions, "eps"> = {}): Tensor {
  return normForward(input, running, affine, rowsOf(input, affine, running), { eps, correction: 0 });
}

/**
 * Standardises each channel of each sample over H x W: mean 0, unbiased variance 1. Differentiable.
 *
 * @param input `[N, H, W, C]`, f32, at least two positions
 * @returns (input - mean) / sqrt(unbiased variance + eps), the input's shape
 * @throws ShapeError if the input has another rank or a single position
 */
export function standardize(input: Tensor, { eps = 1e-5 }: Pick<BatchNormOptions, "eps"> = {}): Tensor {
  requireDType("standardize", "f32", { input });
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || height * width < 2) {
    throw new ShapeError(`standardize: expected input [N,H,W,C] with at least two positions, got [${input.shape.join(",")}]`);
  }
  const middle = { groups: batch, extent: height * width, channels };
  const options = { eps, correction: 1 } as const;
  const statistics = momentsOf(input, middle, options);
  return record("standardize", normForward(input, statistics, null, middle, options), [
    [input, (gradOutput) => normBackward(input, statistics, null, gradOutput, middle, options).gradInput],
  ]);
}

function rowsOf(input: Tensor, affine: Tensor, running: Tensor): Middle {
  const channels = input.shape.at(-1) ?? 0;
  const tensors = { input, affine, running };
  requireDType("batchNorm", "f32", tensors);
  requireShape("batchNorm", "affine", [2, channels], tensors);
  requireShape("batchNorm", "running", [2, channels], tensors);
  return { groups: 1, extent: countOf(input.shape.slice(0, -1)), channels };
}

/** The sums come as (of bias, of weight); affine is (weight, bias). */
function gradAffine({ sums }: NormGradients, channels: number): Tensor {
  const pair = viewOf(sums, [2 * channels]);
  return viewOf(concatForward([sliceForward(pair, channels, channels), sliceForward(pair, 0, channels)]), [2, channels]);
}

/** Both gradients come of one pass: the pullback that runs first makes it. */
function once<A, B>(f: (argument: A) => B): (argument: A) => B {
  let result: { readonly value: B } | null = null;
  return (argument) => (result ??= { value: f(argument) }).value;
}
