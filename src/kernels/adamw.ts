import module from "../../shaders/adamw.wgsl";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

export interface AdamwSettings {
  /** Learning rate. */
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Decoupled weight decay. */
  readonly decay: number;
  /** 1 for the first. */
  readonly step: number;
}

/** `[1]`: what gradients must be multiplied with so that their norm is at most `maxNorm`; `squares` `[T]` holds their sums of squares. */
export function clipFactor(squares: Tensor, maxNorm: number): Tensor {
  const output = empty(squares.device, [1]);
  const params = { ...NO_SETTINGS, count: countOf(squares.shape), max_norm: maxNorm };
  launch({ module, entryPoint: "clip_factor", element: "f32", tensors: { squares, output }, params, size: { workgroups: 1 } });
  return output;
}

/** Updates `weight` and its moments `m` and `v` in place. */
export function adamwUpdate(weight: Tensor, m: Tensor, v: Tensor, gradient: Tensor, factor: Tensor, settings: AdamwSettings): void {
  const { rate, beta1, beta2, eps, decay, step } = settings;
  const count = countOf(weight.shape);
  const params = { count, rate, beta1, beta2, eps, decay, correction1: 1 - beta1 ** step, correction2: 1 - beta2 ** step, max_norm: 0 };
  launch({ module, entryPoint: "update", element: "f32", tensors: { weight, m, v, gradient, factor }, params, size: { invocations: count } });
}

const NO_SETTINGS = { rate: 0, beta1: 0, beta2: 0, eps: 0, decay: 0, correction1: 0, correction2: 0 };
