import module from "../../shaders/optimizer.wgsl";
import { countOf, empty, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

/** A range of an arena whose elements share the same step. */
export interface Range {
  readonly first: number;
  readonly count: number;
  /** Row of the schedule. */
  readonly row: number;
}

export interface AdamSettings {
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Weight decay: AdamW's if decoupled, otherwise added to the gradient. */
  readonly weightDecay: number;
  readonly decoupled: boolean;
}

export interface SgdSettings {
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Weight decay: this times the weights is added to the gradient. */
  readonly weightDecay: number;
}

/**
 * `[1]`: the factor that multiplies gradients by `scale` and then limits their norm to `maxNorm`; the elements of
 * `squares` `[T]` sum to the squared norm before.
 */
export function clipFactor(squares: Tensor, maxNorm: number, scale = 1): Tensor {
  const output = empty(squares.device, [1]);
  const params = { ...NOTHING, count: countOf(squares.shape), max_norm: maxNorm, scale };
  launch({
    module,
    entryPoint: "clip_factor",
    element: "f32",
    tensors: { squares, output },
    params,
    size: { workgroups: 1 },
  });
  return output;
}

type Named<K extends string> = Readonly<Record<K, Tensor>>;

/**
 * One step of Adam or AdamW, in place, on a range of the arenas of weights and moments; `schedule` is `[P, 4]`, see the
 * shader.
 */
export function adamUpdate(
  tensors: Named<"weights" | "gradients" | "factor" | "schedule" | "m" | "v">,
  range: Range,
  settings: AdamSettings,
): void {
  const { weightDecay, eps, decoupled } = settings;
  const [beta1, beta2] = settings.betas;
  launch({
    module,
    entryPoint: "adam",
    element: "f32",
    constants: { DECOUPLED: decoupled },
    tensors,
    params: { ...NOTHING, ...range, weight_decay: weightDecay, eps, beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 },
    size: { invocations: range.count },
    work: { bytes: 4 * 7 * range.count }, // all but the gradients are both read and written
  });
}

/** One step of SGD, in place, on a range of the arenas of weights and velocities (`m`). */
export function sgdUpdate(
  tensors: Named<"weights" | "gradients" | "factor" | "schedule" | "m">,
  range: Range,
  settings: SgdSettings,
): void {
  const { weightDecay, momentum, nesterov } = settings;
  launch({
    module,
    entryPoint: "sgd",
    element: "f32",
    constants: { NESTEROV: nesterov },
    tensors,
    params: { ...NOTHING, ...range, weight_decay: weightDecay, beta1: momentum },
    size: { invocations: range.count },
    work: { bytes: 4 * 5 * range.count },
  });
}

const NOTHING = {
  first: 0,
  count: 0,
  row: 0,
  weight_decay: 0,
  beta1: 0,
  beta2: 0,
  rest1: 0,
  rest2: 0,
  eps: 0,
  max_norm: 0,
  scale: 1,
};
