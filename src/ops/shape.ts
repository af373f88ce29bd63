import { record } from "../autograd/tape.ts";
import { concatForward, sliceBackwardInput, sliceForward } from "../kernels/concat.ts";
import { viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";

/**
 * The same elements in the same order under another shape, sharing the storage. Differentiable.
 *
 * @throws ShapeError if the numbers of elements differ
 */
export function reshape(input: Tensor, shape: Shape): Tensor {
  return record("reshape", viewOf(input, shape), [[input, (gradOutput) => viewOf(gradOutput, input.shape)]]);
}

/**
 * Joins tensors along the last axis. Differentiable in each.
 *
 * @param inputs `[..., Ci]`, f32, equal but for the last axis
 * @returns `[..., sum of Ci]`
 * @throws ShapeError if the leading axes differ, an input is not f32, or there is none
 */
export function concat(inputs: readonly Tensor[]): Tensor {
  let offset = 0;
  const parts = inputs.map((input) => {
    const from = offset;
    offset += input.shape.at(-1)!;
    return [input, (gradOutput: Tensor) => sliceForward(gradOutput, from, input.shape.at(-1)!)] as const;
  });
  return record("concat", concatForward(inputs), parts);
}

/**
 * Takes `columns` columns of the last axis from `offset`. Differentiable.
 *
 * @param input `[..., C]`, f32
 * @returns `[..., columns]`
 * @throws ShapeError if the columns are not within the last axis, or the input is not f32
 */
export function slice(input: Tensor, offset: number, columns: number): Tensor {
  const width = input.shape.at(-1)!;
  return record("slice", sliceForward(input, offset, columns), [[input, (gradOutput) => sliceBackwardInput(gradOutput, offset, width)]]);
}
