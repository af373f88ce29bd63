import { record } from "../autograd/tape.ts";
import { matmulForward } from "../kernels/matmul.ts";
import { reduceMiddle } from "../kernels/reduce.ts";
import { shapeError } from "../runtime/errors.ts";
import { countOf, type Tensor } from "../tensor/tensor.ts";
import { reshape } from "./shape.ts";

/**
 * Batched matrix product. Differentiable in each operand.
 *
 * @param a `[G, M, K]`, f32
 * @param b `[G, K, N]`, f32
 * @param bias `[N]`, f32, added to every row; or null
 * @returns `[G, M, N]`, f32
 * @throws ShapeError if the shapes disagree with the above
 */
export function matmul(a: Tensor, b: Tensor, bias: Tensor | null = null): Tensor {
  const output = matmulForward(a, b, bias, {});
  const [groups, rows, columns] = output.shape as [number, number, number];
  return record("matmul", output, [
    [a, (gradOutput) => matmulForward(gradOutput, b, null, { transposeB: true })],
    [b, (gradOutput) => matmulForward(a, gradOutput, null, { transposeA: true })],
    ...(bias ? [[bias, (gradOutput: Tensor) => reduceMiddle(gradOutput, { groups: 1, extent: groups * rows, channels: columns }, [columns], "sum")] as const] : []),
  ]);
}

/**
 * A 1x1 convolution, or a linear layer: a matrix applied to the last axis. Differentiable in each operand.
 *
 * @param input `[..., C]`, f32
 * @param weight `[C, K]`, f32
 * @param bias `[K]`, f32, or null
 * @returns `[..., K]`, f32
 * @throws ShapeError if the shapes disagree with the above
 */
export function pointwiseConv2d(input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const channels = input.shape.at(-1)!;
  if (weight.shape.length !== 2 || weight.shape[0] !== channels) shapeError("pointwiseConv2d", `expected weight [${channels},K]`, { input, weight });
  const leading = input.shape.slice(0, -1);
  const output = matmul(reshape(input, [1, countOf(leading), channels]), reshape(weight, [1, ...weight.shape]), bias);
  return reshape(output, [...leading, weight.shape[1]!]);
}
