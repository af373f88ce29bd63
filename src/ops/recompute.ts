import { gradientsOf, isRecording, record, untracked } from "../autograd/tape.ts";
import { UsageError } from "../runtime/errors.ts";
import { copyOf, sumOf } from "./gradients.ts";
import { release, type Tensor } from "../tensor/tensor.ts";
import { once } from "./once.ts";

/**
 * Runs `f` without keeping its intermediates for the gradient; `f` runs a second time when the gradient is computed.
 * Gradients are bit-identical to those without recomputation, except for inputs that are also used elsewhere, whose
 * gradients add up in another order.
 *
 * @param f gets true in its second run, in which it must not repeat side effects
 * @param inputs all tensors that it depends on and that need gradients
 */
export function recompute(f: (again: boolean) => Tensor, inputs: readonly Tensor[]): Tensor {
  const wanted = inputs.filter(({ requiresGrad }) => requiresGrad);
  if (!isRecording(...wanted)) return f(false);
  const [{ device }] = wanted as [Tensor];
  using scope = device.scope();
  const output = scope.keep(untracked(() => f(false)));
  const backward = once((gradOutput: Tensor) => {
    const { results, grads } = gradientsOf(() => [f(true)], wanted, {
      seed: () => gradOutput,
      add: sumOf,
      copy: copyOf,
    });
    results.forEach(release);
    return grads;
  });
  return record(
    "recompute",
    output,
    wanted.map((input, i) => [
      input,
      (gradOutput) => {
        const grad = backward(gradOutput)[i];
        if (!grad)
          throw new UsageError("recompute: expected the output to depend on every input that wants a gradient");
        return grad;
      },
    ]),
  );
}
