import { record, type Pullback } from "../autograd/tape.ts";
import { binaryForward, type BinaryName } from "../kernels/elementwise.ts";
import { scaleForward } from "../kernels/reduce.ts";
import type { Device } from "../runtime/device.ts";
import { fromArray, type Tensor } from "../tensor/tensor.ts";
import { sumTo } from "./reduce.ts";

/**
 * A number as a tensor, for arithmetic with tensors.
 * @returns `[1]`, f32
 */
export function scalar(device: Device, value: number): Tensor {
  return record("scalar", fromArray(device, [1], Float32Array.of(value)), [], { value });
}

/**
 * a + b, broadcast as in NumPy. Differentiable in both.
 *
 * @param a f32 or f16
 * @param b a's dtype; each axis, from the last, equals a's, or one of the two is 1
 * @returns the broadcast shape
 * @throws ShapeError if the shapes do not broadcast, if more than four runs of axes broadcast differently, or if the
 *   dtypes or devices differ
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return binary(
    "add",
    a,
    b,
    (grad) => grad,
    (grad) => grad,
  );
}

/**
 * a - b, broadcast as in NumPy. Differentiable in both.
 * @param a as for `add`
 * @param b as for `add`
 * @throws ShapeError as `add`
 */
export function subtract(a: Tensor, b: Tensor): Tensor {
  return binary("subtract", a, b, (grad) => grad, negated);
}

/**
 * a * b, broadcast as in NumPy. Differentiable in both.
 * @param a as for `add`
 * @param b as for `add`
 * @throws ShapeError as `add`
 */
export function multiply(a: Tensor, b: Tensor): Tensor {
  return binary(
    "multiply",
    a,
    b,
    (grad) => binaryForward(grad, b, "multiply"),
    (grad) => binaryForward(grad, a, "multiply"),
  );
}

/**
 * a / b, broadcast as in NumPy. Differentiable in both.
 * @param a as for `add`
 * @param b as for `add`
 * @throws ShapeError as `add`
 */
export function divide(a: Tensor, b: Tensor): Tensor {
  return binary(
    "divide",
    a,
    b,
    (grad) => binaryForward(grad, b, "divide"),
    (grad) => negated(binaryForward(binaryForward(binaryForward(grad, b, "divide"), a, "multiply"), b, "divide")),
  );
}

/**
 * The larger of a and b, broadcast as in NumPy. Differentiable in both; where they are equal, they share the gradient.
 * @param a as for `add`
 * @param b as for `add`
 * @throws ShapeError as `add`
 */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return binary(
    "maximum",
    a,
    b,
    (grad) => binaryForward(grad, binaryForward(a, b, "greater_share"), "multiply"),
    (grad) => binaryForward(grad, binaryForward(b, a, "greater_share"), "multiply"),
  );
}

/**
 * The smaller of a and b, broadcast as in NumPy. Differentiable in both; where they are equal, they share the gradient.
 * @param a as for `add`
 * @param b as for `add`
 * @throws ShapeError as `add`
 */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return binary(
    "minimum",
    a,
    b,
    (grad) => binaryForward(grad, binaryForward(b, a, "greater_share"), "multiply"),
    (grad) => binaryForward(grad, binaryForward(a, b, "greater_share"), "multiply"),
  );
}

const negated: Pullback = (gradient) => scaleForward(gradient, -1);

/**
 * Runs a binary function. Pullbacks give gradients of the broadcast shape, which are summed over the repeated axes;
 * intermediates are released at once.
 */
function binary(name: BinaryName, a: Tensor, b: Tensor, gradA: Pullback, gradB: Pullback): Tensor {
  const summed =
    (pullback: Pullback, shape: Tensor["shape"]): Pullback =>
    (gradOutput) => {
      using scope = gradOutput.device.scope();
      return scope.keep(sumTo(pullback(gradOutput), shape));
    };
  return record(name, binaryForward(a, b, name), [
    [a, summed(gradA, a.shape)],
    [b, summed(gradB, b.shape)],
  ]);
}
