import { gradientsOf, type Gradients } from "../autograd/tape.ts";
import { binaryForward } from "../kernels/elementwise.ts";
import { scaleForward } from "../kernels/reduce.ts";
import { countOf, fromArray, type Tensor } from "../tensor/tensor.ts";

/**
 * Runs `f` and differentiates the first tensor it returns; the sum of its elements, if it has several.
 *
 * @param f builds the loss from tensors, at once: it must not be async. What else it returns is kept too. Everything
 * else made on the way is released
 * @param wrt the tensors to differentiate for, one at least, made by `requireGrad`, on one device; one that is named
 * twice gets its gradient twice
 * @returns what `f` returned, and a gradient for each of `wrt`, null where the loss does not depend on it
 * @throws OptionError for a `wrt` that is empty or has a tensor without `requireGrad`, for an `f` that is async or
 * returns no loss, and within the `f` of other gradients: second derivatives are not supported; ShapeError for tensors
 * of different devices, or a loss of whole numbers; ReleasedError for a tensor that was released
 */
export function gradients(f: () => readonly [loss: Tensor, ...rest: Tensor[]], wrt: readonly Tensor[]): Gradients {
  return gradientsOf(f, wrt, {
    seed: (loss) => fromArray(loss.device, loss.shape, new Float32Array(countOf(loss.shape)).fill(1), loss.dtype),
    add: sumOf,
    copy: copyOf,
  });
}

/** How gradients add up, and become storage of their own: the tape's rules. */
export const sumOf = (a: Tensor, b: Tensor): Tensor => binaryForward(a, b, "add");
export const copyOf = (grad: Tensor): Tensor => scaleForward(grad, 1);
