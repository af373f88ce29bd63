import { valueAndGradients } from "../../src/ops/gradients.ts";
import { requireGrad, toArray, zeros, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import { device } from "./device.ts";
import { poison } from "./operation.ts";

/**
 * Runs an operation on inputs without elements: returns its output's shape, the number of dispatches, and the
 * gradients.
 */
export async function runEmpty(shapes: readonly Shape[], run: (inputs: readonly Tensor[]) => Tensor) {
  poison();
  const scope = device.scope();
  const inputs = shapes.map((shape) => requireGrad(zeros(device, shape)));
  const before = device.counters().dispatches;
  const { shape } = run(inputs);
  const dispatches = device.counters().dispatches - before;
  const { grads } = valueAndGradients(() => [run(inputs)], inputs);
  const reads = grads.map((grad) => toArray(grad!));
  scope[Symbol.dispose]();
  return { shape, dispatches, grads: (await Promise.all(reads)).map((grad) => Array.from(grad)) };
}
