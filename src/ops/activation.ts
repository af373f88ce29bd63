import { isRecording, record } from "../autograd/tape.ts";
import {
  activationBackwardInput,
  activationForward,
  nameOf,
  type Activation,
  type ActivationName,
} from "../kernels/activation.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { Activation, ActivationName };

/**
 * Applies an activation function to every element. Differentiable.
 *
 * `relu`, `relu6`, `leakyRelu` (slope 0.01, or `{ name: "leakyRelu", slope }`), `hsigmoid`, `hswish`, `sigmoid`,
 * `silu`, `tanh`, `gelu` (by the error function), and `sqrt`, `exp`, `log`, `abs`, `square`. At a kink the derivative
 * is PyTorch's.
 *
 * @param input any shape, f32 or f16
 * @returns the input's shape and dtype
 * @throws ShapeError if the input is u32; OptionError for another name, or a slope that is not finite
 * @see https://pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
 */
export function activation(input: Tensor, name: Activation): Tensor {
  return record(nameOf(name), activationForward(input, name), [
    [input, (gradOutput) => activationBackwardInput(input, gradOutput, name)],
  ]);
}

export const relu = (input: Tensor): Tensor => activation(input, "relu");
export const hswish = (input: Tensor): Tensor => activation(input, "hswish");
export const hsigmoid = (input: Tensor): Tensor => activation(input, "hsigmoid");
export const tanh = (input: Tensor): Tensor => activation(input, "tanh");

/**
 * Runs `op` with its activation: within its kernel, or as a separate kernel if the gradient will need the values before
 * it.
 * @param tensors operands of `op`
 */
export function withActivation(
  name: Activation | null,
  tensors: readonly (Tensor | null)[],
  op: (fused: Activation | null) => Tensor,
): Tensor {
  if (name === null || !isRecording(...tensors)) return op(name);
  return activation(op(null), name);
}
