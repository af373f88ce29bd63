import module from "../../shaders/activation.wgsl";
import { OptionError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, packOf, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireShape } from "./launch.ts";

// Numbered from 1, as in shaders/prelude/activation.wgsl.
const FUNCTIONS = [
  "relu",
  "relu6",
  "leakyRelu",
  "hsigmoid",
  "hswish",
  "sigmoid",
  "silu",
  "tanh",
  "gelu",
  "sqrt",
  "exp",
  "log",
  "abs",
  "square",
] as const;

/** Name of an activation function. */
export type ActivationName = (typeof FUNCTIONS)[number];

/** An activation function; leaky ReLU takes a slope below zero, 0.01 by default. */
export type Activation = ActivationName | { readonly name: "leakyRelu"; readonly slope: number };

const LEAK = 0.01;

/** An activation as shader params: its number, 0 for none, and the slope of leaky ReLU below zero. */
export function activationParams(
  op: string,
  activation: Activation | null,
): { readonly activation: number; readonly leak: number } {
  if (activation === null) return { activation: 0, leak: LEAK };
  const name = nameOf(activation);
  const index = FUNCTIONS.indexOf(name);
  if (index < 0) throw new OptionError(`${op}: expected an activation of ${FUNCTIONS.join(", ")}, got ${name}`);
  if (typeof activation === "string") return { activation: index + 1, leak: LEAK };
  if (name !== "leakyRelu" || !Number.isFinite(activation.slope)) {
    throw new OptionError(`${op}: expected a finite slope for leakyRelu alone, got ${activation.slope} for ${name}`);
  }
  return { activation: index + 1, leak: activation.slope };
}

/** The shaders' overrides for an activation; null means none. */
export function activationConstants(op: string, activation: Activation | null): Readonly<Record<string, number>> {
  if (activation === null) return {};
  const { activation: number, leak } = activationParams(op, activation);
  return { ACTIVATION: number, ...(leak !== LEAK && { LEAK: leak }) };
}

export const nameOf = (activation: Activation): ActivationName =>
  typeof activation === "string" ? activation : activation.name;

/** f(input), of the input's shape and dtype. */
export function activationForward(input: Tensor, activation: Activation): Tensor {
  floatDType(nameOf(activation), { input });
  const output = empty(input.device, input.shape, input.dtype);
  run("forward", activation, { input, output }, input);
  return output;
}

/** gradOutput * f'(input). */
export function activationBackwardInput(input: Tensor, gradOutput: Tensor, activation: Activation): Tensor {
  floatDType(nameOf(activation), { input, gradOutput });
  requireShape(nameOf(activation), "gradOutput", input.shape, { input, gradOutput });
  const gradInput = empty(input.device, input.shape, input.dtype);
  run("backward_input", activation, { input, grad_output: gradOutput, grad_input: gradInput }, input);
  return gradInput;
}

function run(
  entryPoint: string,
  activation: Activation,
  tensors: Record<string, Tensor>,
  { shape, dtype }: Tensor,
): void {
  const count = countOf(shape);
  const packs = count / packOf(count);
  const constants = activationConstants("activation", activation);
  const parts = { param: "packs", tensors: Object.keys(tensors) };
  launch({
    module,
    entryPoint,
    element: elementOf(dtype, count),
    constants,
    tensors,
    params: { packs },
    size: { invocations: packs },
    parts,
  });
}
