import module from "../../shaders/activation.wgsl";
import { countOf, elementOf, empty, packOf, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType, requireShape } from "./launch.ts";

const FUNCTIONS = ["relu", "relu6", "hsigmoid", "hswish", "sigmoid", "silu", "tanh", "sqrt"] as const;

export type ActivationName = (typeof FUNCTIONS)[number];

/** f(input), of the input's shape. */
export function activationForward(input: Tensor, name: ActivationName): Tensor {
  requireDType(name, "f32", { input });
  const output = empty(input.device, input.shape);
  run("forward", name, { input, output }, input);
  return output;
}

/** gradOutput * f'(input). */
export function activationBackwardInput(input: Tensor, gradOutput: Tensor, name: ActivationName): Tensor {
  requireShape(name, "gradOutput", input.shape, { input, gradOutput });
  const gradInput = empty(input.device, input.shape);
  run("backward_input", name, { input, grad_output: gradOutput, grad_input: gradInput }, input);
  return gradInput;
}

function run(entryPoint: string, name: ActivationName, tensors: Record<string, Tensor>, { shape }: Tensor): void {
  const count = countOf(shape);
  const packs = count / packOf(count);
  const constants = { FUNCTION: FUNCTIONS.indexOf(name) };
  launch({ module, entryPoint, element: elementOf(count), constants, tensors, params: { packs }, size: { invocations: packs } });
}
