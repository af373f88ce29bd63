import { record } from "../autograd/tape.ts";
import { gatherBackwardInput, gatherForward } from "../kernels/gather.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { requireAxis } from "./shape.ts";

/**
 * Picks entries of an axis by index, with repetition. An index out of range picks zeros. Differentiable in the input,
 * deterministically: gradients of repeated entries are added in order.
 *
 * @param input any dtype; gradients for f32 and f16
 * @param indices `[K]`, u32
 * @param axis negative ones count from the end; by default the first
 * @returns the input's shape with that axis of extent K
 * @throws ShapeError if the indices have another rank or dtype, or are on another device, and in the gradient if the
 *   axis and K are together too large for counting; OptionError if the axis does not exist
 * @see https://pytorch.org/docs/stable/generated/torch.index_select.html
 */
export function gather(input: Tensor, indices: Tensor, axis = 0): Tensor {
  const at = requireAxis("gather", axis, input);
  const output = gatherForward(input, indices, at);
  return record(
    "gather",
    output,
    [
      [input, (gradOutput) => gatherBackwardInput(input, indices, gradOutput, at)],
      [indices, null],
    ],
    { axis: at },
  );
}
