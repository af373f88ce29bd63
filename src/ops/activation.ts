import { record } from "../autograd/tape.ts";
import { activationBackwardInput, activationForward, type ActivationName } from "../kernels/activation.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { ActivationName };

/**
 * Applies a function of one variable to every element. Differentiable.
 *
 * `relu`, `relu6`, `hsigmoid`, `hswish`, `sigmoid`, `silu`, `tanh`, `sqrt`. At a kink the derivative is PyTorch's.
 *
 * @param input any shape, f32
 * @returns the input's shape
 * @throws ShapeError if the input is not f32
 * @see https://pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
 */
export function activation(input: Tensor, name: ActivationName): Tensor {
  return record(name, activationForward(input, name), [[input, (gradOutput) => activationBackwardInput(input, gradOutput, name)]]);
}

export const relu = (input: Tensor): Tensor => activation(input, "relu");
export const hswish = (input: Tensor): Tensor => activation(input, "hswish");
export const hsigmoid = (input: Tensor): Tensor => activation(input, "hsigmoid");
export const tanh = (input: Tensor): Tensor => activation(input, "tanh");
