import module from "../../shaders/reconstruction_loss.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, packOf, type Shape, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireShape } from "./launch.ts";

/** Refined squared error per position: `[...,C]`, `[...,C]` -> `[...]`. */
export function reconstructionLossForward(a: Tensor, r: Tensor, threshold: number): Tensor {
  const loss = empty(a.device, positionsOf("reconstructionLoss", a, r));
  run("forward_loss", { a, r, loss }, a, threshold);
  return loss;
}

/** Refined distance per position, the anomaly map: `[...,C]`, `[...,C]` -> `[...]`. */
export function reconstructionScore(a: Tensor, r: Tensor, threshold: number): Tensor {
  const score = empty(a.device, positionsOf("anomalyMap", a, r));
  run("forward_score", { a, r, score }, a, threshold);
  return score;
}

/** d loss / d r, `[...,C]`, for `gradLoss` `[...]`. */
export function reconstructionLossBackward(a: Tensor, r: Tensor, gradLoss: Tensor, threshold: number): Tensor {
  const positions = positionsOf("reconstructionLoss", a, r);
  requireShape("reconstructionLoss", "gradLoss", positions, { target: a, reconstruction: r, gradLoss });
  const gradR = empty(a.device, r.shape, r.dtype);
  run("backward_r", { a, r, grad_loss: gradLoss, grad_r: gradR }, a, threshold);
  return gradR;
}

/** Checks the operands and returns the shape of the positions; errors use the public functions' argument names. */
function positionsOf(op: string, target: Tensor, reconstruction: Tensor): Shape {
  const tensors = { target, reconstruction };
  floatDType(op, tensors);
  requireShape(op, "reconstruction", target.shape, tensors);
  if (!(target.shape.at(-1)! > 0)) shapeError(op, "expected a last axis of at least one channel", tensors);
  return target.shape.slice(0, -1);
}

function run(entryPoint: string, tensors: Record<string, Tensor>, { shape, dtype }: Tensor, threshold: number): void {
  const channels = shape.at(-1)!;
  const positions = countOf(shape) / channels;
  const params = { positions, packs: channels / packOf(channels), threshold };
  launch({
    module,
    entryPoint,
    element: elementOf(dtype, channels),
    tensors,
    params,
    size: { invocations: positions },
  });
}
