import module from "../../shaders/batch_norm.wgsl";
import { elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { activationConstants, type Activation } from "./activation.ts";
import { launch } from "./launch.ts";
import { reduceMiddle, type Middle } from "./reduce.ts";

const ROWS = 128; // rows in a slice, as in reduce

export interface NormOptions {
  /** Added to the variance. */
  readonly eps: number;
  /** Variance divides by M - correction: 0 for M, 1 for the unbiased estimate. */
  readonly correction: 0 | 1;
}

/** Mean and variance over the middle axis: `[G, 2, C]`, f32. */
export function momentsOf(input: Tensor, middle: Middle, options: NormOptions): Tensor {
  const { device } = input;
  const { groups, channels } = middle;
  const moments = empty(device, [groups, slicesOf(middle), 2, channels]);
  run("slice_moments", { input, workspace: moments }, input, middle, options, groups * slicesOf(middle));
  const statistics = empty(device, [groups, 2, channels]);
  run("merge_moments", { moments, workspace: statistics }, input, middle, options, groups);
  release(moments);
  return statistics;
}

/** Moves running mean and variance `[2, C]` towards the batch statistics by `momentum`, in place. */
export function updateRunning(
  running: Tensor,
  statistics: Tensor,
  middle: Middle,
  options: NormOptions,
  momentum: number,
): void {
  run("update_running", { statistics, running }, statistics, middle, options, 1, { momentum });
}

/** (input - mean) / std, times weight plus bias if `affine` `[2, C]` is given, followed by the activation. */
export function normForward(
  input: Tensor,
  statistics: Tensor,
  affine: Tensor | null,
  middle: Middle,
  options: NormOptions,
  activation: Activation | null = null,
): Tensor {
  const output = empty(input.device, input.shape, input.dtype);
  const tensors = { input, statistics, affine: affine ?? statistics, output };
  run("forward", tensors, input, middle, options, middle.groups * middle.extent, {
    affine: affine !== null,
    activation,
  });
  return output;
}

export interface NormGradients {
  readonly gradInput: Tensor;
  /**
   * `[G, 2, C]`: sums of gradOutput * normalised input (the gradient of weight) and of gradOutput (the gradient of
   * bias).
   */
  readonly sums: Tensor;
}

/** Gradients of `normForward`. `constant`: the statistics do not depend on `input`. */
export function normBackward(
  input: Tensor,
  statistics: Tensor,
  affine: Tensor | null,
  gradOutput: Tensor,
  middle: Middle,
  options: NormOptions,
  {
    constant = false,
    activation = null,
  }: { readonly constant?: boolean; readonly activation?: Activation | null } = {},
): NormGradients {
  const { device } = input;
  const { groups, channels } = middle;
  const slices = slicesOf(middle);
  const partial = empty(device, [groups, slices, 2, channels]);
  const settings = { affine: affine !== null, activation };
  const given = { input, statistics, affine: affine ?? statistics, grad_output: gradOutput };
  run("backward_sums", { ...given, workspace: partial }, input, middle, options, groups * slices, settings);
  const sums = reduceMiddle(partial, { groups, extent: slices, channels: 2 * channels }, [groups, 2, channels], "sum");
  release(partial);
  const gradInput = empty(device, input.shape, input.dtype);
  run("backward_input", { ...given, sums, output: gradInput }, input, middle, options, groups * middle.extent, {
    ...settings,
    constant,
  });
  return { gradInput, sums };
}

interface Settings {
  readonly affine?: boolean;
  readonly constant?: boolean;
  readonly momentum?: number;
  readonly activation?: Activation | null;
}

const slicesOf = ({ extent }: Middle): number => Math.max(1, Math.ceil(extent / ROWS));

function run(
  entryPoint: string,
  tensors: Record<string, Tensor>,
  { dtype }: Tensor,
  middle: Middle,
  { eps, correction }: NormOptions,
  rows: number,
  { affine = false, constant = false, momentum = 0, activation = null }: Settings = {},
): void {
  const { groups, extent, channels } = middle;
  const packs = channels / packOf(channels);
  launch({
    module,
    entryPoint,
    element: elementOf(dtype, channels),
    constants: { AFFINE: affine, CONSTANT: constant, ...activationConstants("batchNorm", activation) },
    tensors,
    params: { groups, extent, packs, rows: ROWS, slices: slicesOf(middle), correction, eps, momentum },
    size: { invocations: rows * packs },
  });
}
