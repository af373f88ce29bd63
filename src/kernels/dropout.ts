import module from "../../shaders/dropout.wgsl";
import { OptionError } from "../runtime/errors.ts";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { floatDType } from "./launch.ts";
import { launchDraw, requireDraw, type Draw } from "./random.ts";

/**
 * Zero with the given probability, otherwise scaled by 1 / (1 - probability). The gradient is the same function of the
 * output's gradient.
 */
export function dropoutForward(input: Tensor, draw: Draw, probability: number): Tensor {
  const dtype = floatDType("dropout", { input });
  requireDraw("dropout", input.device, draw);
  if (!(probability >= 0 && probability < 1))
    throw new OptionError(`dropout: expected a probability in [0, 1), got ${probability}`);
  const output = empty(input.device, input.shape, dtype);
  const count = countOf(input.shape);
  launchDraw(draw, {
    module,
    entryPoint: "forward",
    element: dtype,
    tensors: { input, output },
    params: { count, probability, scale: 1 / (1 - probability) },
    size: { invocations: Math.ceil(count / 4) },
  });
  return output;
}
