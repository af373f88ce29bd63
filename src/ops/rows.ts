import { record } from "../autograd/tape.ts";
import { readOptions } from "../runtime/options.ts";
import {
  cosineBackward,
  cosineForward,
  l2NormalizeBackward,
  l2NormalizeForward,
  l2NormBackward,
  l2NormForward,
  layerNormBackward,
  layerNormForward,
  softmaxBackwardInput,
  softmaxForward,
} from "../kernels/rows.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { once } from "./once.ts";

/** Numerical stability of operations along rows. */
export interface EpsOptions {
  /** Keeps divisors away from zero; see the operation. */
  readonly eps?: number;
}

/**
 * Softmax along the last axis. Differentiable.
 *
 * @param input `[..., C]`, f32 or f16
 * @returns the input's shape and dtype; each row adds up to 1
 * @throws ShapeError if the input is u32 or has no last axis
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
 */
export function softmax(input: Tensor): Tensor {
  const output = softmaxForward(input);
  return record("softmax", output, [[input, (gradOutput) => softmaxBackwardInput(output, gradOutput)]]);
}

/**
 * Layer norm along the last axis: (input - mean) / sqrt(variance + eps), times weight plus bias. Differentiable in
 * `input` and `affine`.
 *
 * @param input `[..., C]`, f32 or f16
 * @param affine `[2, C]`, f32: weight and bias; or null for none
 * @param options eps, by default 1e-5
 * @returns the input's shape and dtype
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for eps < 0 or an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
 */
export function layerNorm(input: Tensor, affine: Tensor | null = null, options: EpsOptions = {}): Tensor {
  const eps = epsOf("layerNorm", options, 1e-5);
  const backward = once((gradOutput: Tensor) =>
    layerNormBackward(input, affine, gradOutput, eps, affine?.requiresGrad ?? false),
  );
  return record(
    "layerNorm",
    layerNormForward(input, affine, eps),
    [
      [input, (gradOutput) => backward(gradOutput).gradInput],
      ...(affine ? [[affine, (gradOutput: Tensor) => backward(gradOutput).gradAffine!] as const] : []),
    ],
    { eps },
  );
}

/**
 * Euclidean norms of rows along the last axis. Differentiable; the gradient of a row of zeros is 0.
 *
 * @param input `[..., C]`, f32 or f16
 * @returns `[...]`, the input's dtype
 * @throws ShapeError if the input is u32 or has no last axis
 * @see https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html
 */
export function l2Norm(input: Tensor): Tensor {
  return record("l2Norm", l2NormForward(input), [[input, (gradOutput) => l2NormBackward(input, gradOutput)]]);
}

/**
 * Rows along the last axis divided by the larger of their norm and eps. Differentiable.
 *
 * @param input `[..., C]`, f32 or f16
 * @param options eps, by default 1e-12
 * @returns the input's shape and dtype
 * @throws ShapeError if the input is u32 or has no last axis; OptionError for eps < 0 or an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html
 */
export function l2Normalize(input: Tensor, options: EpsOptions = {}): Tensor {
  const eps = epsOf("l2Normalize", options, 1e-12);
  return record("l2Normalize", l2NormalizeForward(input, eps), [
    [input, (gradOutput) => l2NormalizeBackward(input, gradOutput, eps)],
  ]);
}

/**
 * Cosine similarity of rows along the last axis; norms below eps count as eps. Differentiable in both.
 *
 * @param a `[..., C]`, f32 or f16
 * @param b a's shape and dtype
 * @param options eps, by default 1e-8
 * @returns `[...]`, a's dtype, in [-1, 1] up to rounding
 * @throws ShapeError if the shapes, dtypes or devices differ, or there is no last axis; OptionError for eps < 0 or an
 *   unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.cosine_similarity.html
 */
export function cosineSimilarity(a: Tensor, b: Tensor, options: EpsOptions = {}): Tensor {
  const eps = epsOf("cosineSimilarity", options, 1e-8);
  const backward = once((gradOutput: Tensor) => cosineBackward(a, b, gradOutput, eps));
  return record("cosineSimilarity", cosineForward(a, b, eps), [
    [a, (gradOutput) => backward(gradOutput).gradA],
    [b, (gradOutput) => backward(gradOutput).gradB],
  ]);
}

function epsOf(op: string, options: EpsOptions, standard: number): number {
  const { eps } = readOptions<Required<EpsOptions>>(op, options, { eps: standard });
  if (!(eps >= 0 && eps < Infinity)) throw new OptionError(`${op}: expected eps of at least 0, got ${eps}`);
  return eps;
}
