import { record } from "../autograd/tape.ts";
import { binaryForward } from "../kernels/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { sumTo } from "./reduce.ts";

/**
 * a + b, broadcast as NumPy does. Differentiable in both.
 *
 * @param a f32, at most four axes where the shapes differ
 * @param b f32, each axis from the last equal to a's or one of the two 1
 * @returns the broadcast shape
 * @throws ShapeError if the shapes do not broadcast
 */
export function add(a: Tensor, b: Tensor): Tensor {
  return record("add", binaryForward(a, b, "add"), [
    [a, (gradOutput) => sumTo(gradOutput, a.shape)],
    [b, (gradOutput) => sumTo(gradOutput, b.shape)],
  ]);
}

/**
 * a * b, broadcast as NumPy does. Differentiable in both.
 *
 * @param a f32, at most four axes where the shapes differ
 * @param b f32, each axis from the last equal to a's or one of the two 1
 * @returns the broadcast shape
 * @throws ShapeError if the shapes do not broadcast
 */
export function multiply(a: Tensor, b: Tensor): Tensor {
  return record("multiply", binaryForward(a, b, "multiply"), [
    [a, (gradOutput) => sumTo(binaryForward(gradOutput, b, "multiply"), a.shape)],
    [b, (gradOutput) => sumTo(binaryForward(gradOutput, a, "multiply"), b.shape)],
  ]);
}
