import module from "../../shaders/optimizer.wgsl";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

/** A stretch of an arena whose elements take the same step. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

export interface AdamSettings {
  /** Learning rate. */
  readonly rate: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Of the weights: AdamW's where decoupled, else added to the gradient. */
  readonly decay: number;
  readonly decoupled: boolean;
  /** 1 for the first. */
  readonly step: number;
}

export interface SgdSettings {
  /** Learning rate. */
  readonly rate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Times the weights, added to the gradient. */
  readonly decay: number;
}

/** `[1]`: what gradients must be multiplied with so that their norm is at most `maxNorm`; `squares` `[T]` adds up to the norm's square. */
export function clipFactor(squares: Tensor, maxNorm: number): Tensor {
  const output = empty(squares.device, [1]);
  const params = { ...NOTHING, count: countOf(squares.shape), max_norm: maxNorm };
  launch({ module, entryPoint: "clip_factor", element: "f32", tensors: { squares, output }, params, size: { workgroups: 1 } });
  return output;
}

/** One step of Adam or AdamW on a range of arenas of weights and moments, in place. */
export function adamUpdate(tensors: Readonly<Record<"weights" | "gradients" | "factor" | "m" | "v", Tensor>>, range: Range, settings: AdamSettings): void {
  const { rate, decay, eps, step, decoupled } = settings;
  const [beta1, beta2] = settings.betas;
  launch({
    module,
    entryPoint: "adam",
    element: "f32",
    constants: { DECOUPLED: decoupled },
    tensors,
    params: {
      ...NOTHING, ...range, rate, decay, eps, beta1, beta2,
      rest1: 1 - beta1, rest2: 1 - beta2, correction1: 1 - beta1 ** step, correction2: 1 - beta2 ** step,
    },
    size: { invocations: range.count },
  });
}

/** One step of SGD on a range of arenas of weights and velocities (`m`), in place. */
export function sgdUpdate(tensors: Readonly<Record<"weights" | "gradients" | "factor" | "m", Tensor>>, range: Range, settings: SgdSettings): void {
  const { rate, decay, momentum, nesterov } = settings;
  launch({
    module,
    entryPoint: "sgd",
    element: "f32",
    constants: { NESTEROV: nesterov },
    tensors,
    params: { ...NOTHING, ...range, rate, decay, beta1: momentum },
    size: { invocations: range.count },
  });
}

const NOTHING = { first: 0, count: 0, rate: 0, decay: 0, beta1: 0, beta2: 0, rest1: 0, rest2: 0, correction1: 1, correction2: 1, eps: 0, max_norm: 0 };
