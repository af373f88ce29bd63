import module from "../../shaders/mse_loss.wgsl";
import { countOf, elementOf, empty, packOf, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireDType, requireShape } from "./launch.ts";

/** (a - b)^2, f32, of a's shape; a is the public function's input, b its target. */
export function mseLossForward(a: Tensor, b: Tensor): Tensor {
  const tensors = { input: a, target: b };
  floatDType("mseLoss", tensors);
  requireShape("mseLoss", "target", a.shape, tensors);
  const loss = empty(a.device, a.shape);
  run("forward", { a, b, loss }, a, 0);
  return loss;
}

/** The gradient of a for scale 2, of b for scale -2; `gradLoss` has a's shape. */
export function mseLossBackward(a: Tensor, b: Tensor, gradLoss: Tensor, scale: 2 | -2): Tensor {
  requireDType("mseLoss", "f32", { gradLoss });
  requireShape("mseLoss", "gradLoss", a.shape, { a, b, gradLoss });
  const grad = empty(a.device, a.shape, a.dtype);
  run("backward", { a, b, grad_loss: gradLoss, grad }, a, scale);
  return grad;
}

function run(entryPoint: string, tensors: Record<string, Tensor>, { shape, dtype }: Tensor, scale: number): void {
  const count = countOf(shape);
  const packs = count / packOf(count);
  const parts = { param: "packs", tensors: Object.keys(tensors) };
  launch({
    module,
    entryPoint,
    element: elementOf(dtype, count),
    tensors,
    params: { packs, scale },
    size: { invocations: packs },
    parts,
  });
}
