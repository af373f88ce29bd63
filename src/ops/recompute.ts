import { gradientsOf, isRecording, record, untracked } from "../autograd/tape.ts";
import { UsageError } from "../runtime/errors.ts";
import { copyOf, sumOf } from "./gradients.ts";
import { release, type Tensor } from "../tensor/tensor.ts";
import { once } from "./once.ts";

/**
 * What `f` returns, without keeping for its gradient what it makes on the way: that is made again when the gradient is
 * asked for. It costs a second run of `f`. Gradients have the same bits as without, but for those of inputs that are
 * used elsewhere too: they add up in another order.
 *
 * @param f is told whether it runs again: what it changed the first time it must not change then
 * @param inputs all tensors that it depends on and that want gradients
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
