import { record } from "../autograd/tape.ts";
import { gatherRegion } from "../kernels/copy.ts";
import { activationForward, type Activation } from "../kernels/activation.ts";
import { momentsOf, normBackward, normForward, updateRunning } from "../kernels/batch_norm.ts";
import { binaryForward } from "../kernels/elementwise.ts";
import { floatDType, requireDType, requireOneDevice, requireShape } from "../kernels/launch.ts";
import { readOptions } from "../runtime/options.ts";
import type { Middle } from "../kernels/reduce.ts";
import { ShapeError, shapeError } from "../runtime/errors.ts";
import { countOf, fromArray, viewOf, type Tensor } from "../tensor/tensor.ts";
import { once } from "./once.ts";

/** Numerical stability, running statistics and activation of batch norm. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of this batch in the running statistics; 0 leaves them unchanged. Default 0.1. */
  readonly momentum?: number;
  /** Applied to the normalised values, within the kernel, forward and backward. Default: none. */
  readonly activation?: Activation | null;
}

/**
 * Batch norm with the statistics of this batch, per channel over all other axes; updates the running statistics in
 * place. Differentiable in `input` and `affine`.
 *
 * @param input `[..., C]`, f32 or f16, at least two positions
 * @param affine `[2, C]`, f32: weight and bias
 * @param running `[2, C]`, f32: running mean and unbiased variance
 * @returns the input's shape and dtype
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
 */
export function batchNorm(input: Tensor, affine: Tensor, running: Tensor, settings: BatchNormOptions = {}): Tensor {
  const { eps, momentum, activation } = readOptions<Required<BatchNormOptions>>("batchNorm", settings, {
    eps: EPS,
    momentum: 0.1,
    activation: null,
  });
  const middle = rowsOf("batchNorm", input, affine, running);
  if (middle.extent < 2)
    throw new ShapeError(
      `batchNorm: expected at least two positions to take statistics of, got input [${input.shape.join(",")}]`,
    );
  const options = { eps, correction: 0 } as const;
  const statistics = momentsOf(input, middle, options);
  if (momentum !== 0) updateRunning(running, statistics, middle, options, momentum);
  const output = normForward(input, statistics, affine, middle, options, activation);
  const backward = once((gradOutput: Tensor) =>
    normBackward(input, statistics, affine, gradOutput, middle, options, { activation }),
  );
  return record("batchNorm", output, [
    [input, (gradOutput) => backward(gradOutput).gradInput],
    [affine, (gradOutput) => viewOf(backward(gradOutput).sums, affine.shape)],
  ]);
}

/**
 * Batch norm with given statistics, as after training. Differentiable in `input` and `affine`.
 *
 * @param input `[..., C]`, f32 or f16
 * @param affine `[2, C]`, f32: weight and bias
 * @param running `[2, C]`, f32: mean and variance
 * @returns the input's shape and dtype
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an unknown option
 */
export function batchNormInference(
  input: Tensor,
  affine: Tensor,
  running: Tensor,
  settings: NormSettings = {},
): Tensor {
  const { eps } = readOptions<Required<NormSettings>>("batchNormInference", settings, { eps: EPS });
  const middle = rowsOf("batchNormInference", input, affine, running);
  const options = { eps, correction: 0 } as const;
  const backward = once((gradOutput: Tensor) =>
    normBackward(input, running, affine, gradOutput, middle, options, { constant: true }),
  );
  return record(
    "batchNormInference",
    normForward(input, running, affine, middle, options),
    [
      [input, (gradOutput) => backward(gradOutput).gradInput],
      [affine, (gradOutput) => viewOf(backward(gradOutput).sums, affine.shape)],
      [running, null],
    ],
    { eps },
  );
}

/**
 * Folds batch norm with given statistics into the convolution before it: returns the weight and bias of a convolution
 * equal to both. Not differentiable.
 *
 * @param weight `[..., K]`, f32: dense, depthwise (K = C) or pointwise
 * @param bias `[K]`, f32, or null for none
 * @param affine `[2, K]`, f32: the norm's weight and bias
 * @param running `[2, K]`, f32: the norm's mean and variance
 * @returns a weight of the same shape, and a bias `[K]`
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an unknown option
 */
export function foldBatchNorm(
  weight: Tensor,
  bias: Tensor | null,
  affine: Tensor,
  running: Tensor,
  settings: NormSettings = {},
): { readonly weight: Tensor; readonly bias: Tensor } {
  const { eps } = readOptions<Required<NormSettings>>("foldBatchNorm", settings, { eps: EPS });
  const { channels } = rowsOf("foldBatchNorm", weight, affine, running);
  const tensors = { weight, affine, running, ...(bias && { bias }) };
  requireDType("foldBatchNorm", "f32", tensors);
  if (bias) requireShape("foldBatchNorm", "bias", [channels], tensors);
  using scope = weight.device.scope();
  const row = (pair: Tensor, index: number) => gatherRegion("foldBatchNorm", pair, [channels], [1], index * channels);
  const std = activationForward(
    binaryForward(row(running, 1), fromArray(weight.device, [1], Float32Array.of(eps)), "add"),
    "sqrt",
  );
  const scale = binaryForward(row(affine, 0), std, "divide");
  const mean = row(running, 0);
  const centred = bias
    ? binaryForward(bias, mean, "subtract")
    : binaryForward(fromArray(weight.device, [1], Float32Array.of(0)), mean, "subtract");
  return {
    weight: scope.keep(binaryForward(weight, scale, "multiply")),
    bias: scope.keep(binaryForward(binaryForward(centred, scale, "multiply"), row(affine, 1), "add")),
  };
}

/**
 * Standardises each channel of each sample over H x W: mean 0, unbiased variance 1. Differentiable.
 *
 * @param input `[N, H, W, C]`, f32 or f16, at least two positions
 * @returns (input - mean) / sqrt(unbiased variance + eps), the input's shape and dtype
 * @throws ShapeError if the input has another rank or a single position; OptionError for an unknown option
 */
export function standardize(input: Tensor, settings: NormSettings = {}): Tensor {
  const { eps } = readOptions<Required<NormSettings>>("standardize", settings, { eps: EPS });
  floatDType("standardize", { input });
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || height * width < 2)
    shapeError("standardize", "expected input [N,H,W,C] with at least two positions", { input });
  const middle = { groups: batch, extent: height * width, channels };
  const options = { eps, correction: 1 } as const;
  const statistics = momentsOf(input, middle, options);
  return record(
    "standardize",
    normForward(input, statistics, null, middle, options),
    [[input, (gradOutput) => normBackward(input, statistics, null, gradOutput, middle, options).gradInput]],
    { eps },
  );
}

type NormSettings = Pick<BatchNormOptions, "eps">;

const EPS = 1e-5;

function rowsOf(op: string, input: Tensor, affine: Tensor, running: Tensor): Middle {
  const channels = input.shape.at(-1) ?? 0;
  const tensors = { input, affine, running };
  floatDType(op, { input });
  requireDType(op, "f32", { affine, running });
  requireOneDevice(op, tensors);
  requireShape(op, "affine", [2, channels], tensors);
  requireShape(op, "running", [2, channels], tensors);
  return { groups: 1, extent: countOf(input.shape.slice(0, -1)), channels };
}
