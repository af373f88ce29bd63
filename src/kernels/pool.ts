import module from "../../shaders/pool.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { geometryOf } from "./convolution.ts";
import { floatDType, launch, pairOf, requireShape, type Pair } from "./launch.ts";
import { requireWhole } from "../runtime/options.ts";

/** Window geometry of max pooling. */
export interface MaxPoolOptions {
  /** Default: the window. */
  readonly stride?: Pair;
  /** Ignored pixels on either side, at most half the window. Default 0. */
  readonly padding?: Pair;
}

/** Window geometry and divisor of average pooling. */
export interface AveragePoolOptions {
  /** Default: the window. */
  readonly stride?: Pair;
  /** Zeros on either side, at most half the window. Default 0. */
  readonly padding?: Pair;
  /** True if padding counts in the divisor. Default true, as in PyTorch. */
  readonly countIncludePad?: boolean;
}

/** Window means, `[N,H,W,C]` -> `[N,P,Q,C]`. */
export function averagePoolForward(input: Tensor, window: Pair, options: Required<AveragePoolOptions>): Tensor {
  const params = paramsOf("averagePool", { input }, window, options);
  const output = outputOf(input, params);
  const constants = { COUNT_INCLUDE_PAD: options.countIncludePad };
  if (params.stride_w === 1 && params.out_width >= 4)
    run("average_forward_four", { input, output }, params, output, constants, 4);
  else run("average_forward", { input, output }, params, output, constants);
  return output;
}

/** d loss / d input, `[N,H,W,C]`, of window means. */
export function averagePoolBackwardInput(
  input: Tensor,
  gradOutput: Tensor,
  window: Pair,
  options: Required<AveragePoolOptions>,
): Tensor {
  const params = paramsOf("averagePool", { input, gradOutput }, window, options);
  const gradInput = empty(input.device, input.shape, input.dtype);
  const constants = { COUNT_INCLUDE_PAD: options.countIncludePad };
  run("average_backward_input", { grad_output: gradOutput, grad_input: gradInput }, params, input, constants);
  return gradInput;
}

/** Window maxima, `[N,H,W,C]` -> `[N,P,Q,C]`. */
export function maxPoolForward(input: Tensor, window: Pair, options: Required<MaxPoolOptions>): Tensor {
  const params = paramsOf("maxPool", { input }, window, options);
  const output = outputOf(input, params);
  run("max_forward", { input, output }, params, output);
  return output;
}

/** d loss / d input, `[N,H,W,C]`, of window maxima: the first maximum of a window gets its whole gradient. */
export function maxPoolBackwardInput(
  input: Tensor,
  gradOutput: Tensor,
  window: Pair,
  options: Required<MaxPoolOptions>,
): Tensor {
  const params = paramsOf("maxPool", { input, gradOutput }, window, options);
  const winners = empty(input.device, gradOutput.shape, "u32");
  run("argmax", { input, winners_output: winners }, params, gradOutput);
  const gradInput = empty(input.device, input.shape, input.dtype);
  run("max_backward_input", { grad_output: gradOutput, winners, grad_input: gradInput }, params, input);
  release(winners);
  return gradInput;
}

interface Operands extends Record<string, Tensor> {
  readonly input: Tensor;
}

function paramsOf(op: string, tensors: Operands, window: Pair, { stride, padding }: Required<MaxPoolOptions>) {
  const { input } = tensors;
  floatDType(op, tensors);
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || height * width === 0)
    shapeError(op, "expected input [N,H,W,C] with H, W > 0", tensors);
  const [window_h, window_w] = pairOf(window);
  const [pad_h, pad_w] = pairOf(padding);
  requireWhole(op, "window", 1, [window_h, window_w]);
  const geometry = geometryOf(op, [height, width], [window_h, window_w], { stride, padding: [pad_h, pad_w] });
  const { out_height, out_width, stride_h, stride_w } = geometry;
  if (!(2 * pad_h <= window_h && 2 * pad_w <= window_w)) {
    throw new OptionError(
      `${op}: expected padding of at most half the ${window_h}x${window_w} window, got ${pad_h},${pad_w}`,
    );
  }
  if (tensors["gradOutput"]) requireShape(op, "gradOutput", [batch, out_height, out_width, channels], tensors);
  const packs = channels / packOf(channels);
  return { batch, height, width, packs, out_height, out_width, window_h, window_w, stride_h, stride_w, pad_h, pad_w };
}

type Params = ReturnType<typeof paramsOf>;

const outputOf = ({ device, shape, dtype }: Tensor, { batch, out_height, out_width }: Params): Tensor =>
  empty(device, [batch, out_height, out_width, shape[3]!], dtype);

/** One invocation for each pack of `owned`, or for a given number of its columns. */
function run(
  entryPoint: string,
  tensors: Record<string, Tensor>,
  params: Params,
  owned: Tensor,
  constants: Readonly<Record<string, boolean>> = {},
  columns = 1,
): void {
  const [batch, height, width, channels] = owned.shape as [number, number, number, number];
  const invocations = batch * height * Math.ceil(width / columns) * (channels / packOf(channels));
  const parts = { param: "batch", tensors: Object.keys(tensors) };
  const element = elementOf(owned.dtype, channels);
  launch({ module, entryPoint, element, constants, tensors, params, size: { invocations }, parts });
}
