import { record } from "../autograd/tape.ts";
import { dropoutForward } from "../kernels/dropout.ts";
import { readOptions } from "../runtime/options.ts";
import type { Draw } from "../kernels/random.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Options of dropout. */
export interface DropoutOptions {
  /** Probability of an element to become zero, in [0, 1). Default 0.5. */
  readonly probability?: number;
}

/**
 * Sets random elements to zero and scales the others by 1 / (1 - probability). Equal draws drop the same elements on
 * every device. Differentiable.
 *
 * @param input any shape, f32 or f16
 * @param draw identifies the random numbers; if its step is a tensor, the caller keeps it until the gradients are
 *   computed
 * @returns the input's shape and dtype
 * @throws ShapeError if the input is u32; OptionError for a probability out of range, a draw of numbers that are not
 *   u32, or an unknown option
 * @see https://pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
 */
export function dropout(input: Tensor, draw: Draw, options: DropoutOptions = {}): Tensor {
  const { probability } = readOptions<Required<DropoutOptions>>("dropout", options, { probability: 0.5 });
  return record("dropout", dropoutForward(input, draw, probability), [
    [input, (gradOutput) => dropoutForward(gradOutput, draw, probability)],
  ]);
}
