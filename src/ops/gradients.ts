import { gradientsOf, type Gradients } from "../autograd/tape.ts";
import { binaryForward } from "../kernels/elementwise.ts";
import { scaleForward } from "../kernels/reduce.ts";
import { countOf, fromArray, type Tensor } from "../tensor/tensor.ts";

/**
 * Runs `f` and differentiates the first tensor it returns; the sum of its elements, if it has several.
 *
 * @param f builds the loss from tensors, synchronously. Its other results are kept too; everything else made on the way
 *   is released
 * @param wrt the tensors to differentiate for, at least one, made by `requireGrad`, on one device; a tensor that is
 *   listed twice gets its gradient twice
 * @returns the results of `f`, and a gradient for each of `wrt`, null if the loss does not depend on it
 * @throws OptionError for a `wrt` that is empty or has a tensor without `requireGrad`, or an `f` that returns no loss;
 *   UsageError for an `f` that is async, and within the `f` of other gradients: second derivatives are not supported;
 *   ShapeError for tensors of different devices, or a loss of integers; ReleasedError for a released tensor
 */
export function valueAndGradients<
  const Results extends readonly [loss: Tensor, ...rest: Tensor[]],
  const Inputs extends readonly Tensor[],
>(f: () => Results, wrt: Inputs): Gradients<Results, Inputs> {
  return gradientsOf(f, wrt, {
    seed: (loss) => fromArray(loss.device, loss.shape, new Float32Array(countOf(loss.shape)).fill(1), loss.dtype),
    add: sumOf,
    copy: copyOf,
  });
}

/** The tape's rules for adding and copying gradients. */
export const sumOf = (a: Tensor, b: Tensor): Tensor => binaryForward(a, b, "add");
export const copyOf = (grad: Tensor): Tensor => scaleForward(grad, 1);
