import module from "../../shaders/depthwise_conv2d.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { activationConstants } from "./activation.ts";
import { settleAs } from "./cast.ts";
import { geometryOf, type ConvolutionOptions, type Epilogue } from "./convolution.ts";
import { floatDType, launch, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

const SLICE_ROWS = 8; // output rows that one invocation of the weight gradient walks

/** `[N,H,W,C]`, `[R,S,C]` -> `[N,P,Q,C]`. */
export function depthwiseForward(
  input: Tensor,
  weight: Tensor,
  { bias = null, activation = null }: Epilogue,
  options: ConvolutionOptions,
): Tensor {
  const params = paramsOf({ input, weight, ...(bias && { bias }) }, options);
  const output = empty(input.device, [params.batch, params.out_height, params.out_width, input.shape[3]!], input.dtype);
  const constants = { BIAS: bias !== null, ...activationConstants("depthwiseConv2d", activation) };
  const tensors = { input, weight, bias: bias ?? weight, output };
  if (inFours(params)) run("forward_four", tensors, params, input, foursOf(params), constants);
  else run("forward", tensors, params, input, params.batch * params.out_height * params.out_width, constants);
  return output;
}

/** d loss / d input, `[N,H,W,C]`. */
export function depthwiseBackwardInput(
  input: Tensor,
  weight: Tensor,
  gradOutput: Tensor,
  options: ConvolutionOptions,
): Tensor {
  const params = paramsOf({ input, weight, gradOutput }, options);
  const gradInput = empty(input.device, input.shape, input.dtype);
  if (inFours(params) && params.stride_h === 1) {
    // The convolution of the gradient with the weights rotated by 180 degrees.
    const { height, width, out_height, out_width, filter_h, filter_w, dilation_h } = params;
    const padding = {
      pad_top: (dilation_h * (filter_h - 1) - params.pad_top) >>> 0,
      pad_left: (filter_w - 1 - params.pad_left) >>> 0,
    }; // below zero they wrap
    const turned = {
      ...params,
      ...padding,
      height: out_height,
      width: out_width,
      out_height: height,
      out_width: width,
    };
    run(
      "forward_four",
      { input: gradOutput, weight, bias: weight, output: gradInput },
      turned,
      input,
      foursOf(turned),
      { TURNED: true },
    );
  } else {
    const positions = params.batch * params.height * params.width;
    run("backward_input", { weight, grad_output: gradOutput, grad_input: gradInput }, params, input, positions, {
      STRIDE_H: params.stride_h,
      STRIDE_W: params.stride_w,
    });
  }
  return gradInput;
}

/** d loss / d weight, `[R,S,C]`. */
export function depthwiseBackwardWeight(
  input: Tensor,
  weight: Tensor,
  gradOutput: Tensor,
  options: ConvolutionOptions,
): Tensor {
  const params = paramsOf({ input, weight, gradOutput }, options);
  const [r, s, channels] = weight.shape as [number, number, number];
  const partial = empty(input.device, [params.slices, r, s, channels]);
  const tensors = { input, grad_output: gradOutput, grad_weight: partial };
  if (inFours(params)) run("backward_weight_four", tensors, params, input, params.slices * r * Math.ceil(s / 4));
  else run("backward_weight", tensors, params, input, params.slices * r * s);
  const sum = reduceMiddle(
    partial,
    { groups: 1, extent: params.slices, channels: r * s * channels },
    weight.shape,
    "sum",
  );
  release(partial);
  return settleAs(sum, weight.dtype);
}

interface Operands extends Record<string, Tensor> {
  readonly input: Tensor;
  readonly weight: Tensor;
}

function paramsOf(tensors: Operands, options: ConvolutionOptions) {
  const { input, weight } = tensors;
  floatDType("depthwiseConv2d", tensors);
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  const [filter_h = 0, filter_w = 0, filterChannels] = weight.shape;
  if (input.shape.length !== 4 || weight.shape.length !== 3 || filterChannels !== channels) {
    shapeError("depthwiseConv2d", "expected input [N,H,W,C] and weight [R,S,C]", tensors);
  }
  const geometry = geometryOf("depthwiseConv2d", [height, width], [filter_h, filter_w], options);
  if (tensors["bias"]) requireShape("depthwiseConv2d", "bias", [channels], tensors);
  if (tensors["gradOutput"])
    requireShape("depthwiseConv2d", "gradOutput", [batch, geometry.out_height, geometry.out_width, channels], tensors);
  const slices = Math.max(1, Math.ceil((batch * geometry.out_height) / SLICE_ROWS));
  return {
    batch,
    height,
    width,
    packs: channels / packOf(channels),
    filter_h,
    filter_w,
    ...geometry,
    rows: SLICE_ROWS,
    slices,
  };
}

type Params = ReturnType<typeof paramsOf>;

/** True if the entry points that compute four outputs at a time can be used. */
const inFours = ({ stride_w, dilation_w }: Params): boolean => stride_w === 1 && dilation_w === 1;

const foursOf = ({ batch, out_height, out_width }: Params): number => batch * out_height * Math.ceil(out_width / 4);

function run(
  entryPoint: string,
  tensors: Record<string, Tensor>,
  params: Params,
  { shape, dtype }: Tensor,
  positions: number,
  constants: Readonly<Record<string, number | boolean>> = {},
): void {
  const invocations = positions * params.packs;
  const operations =
    2 * params.batch * params.out_height * params.out_width * params.filter_h * params.filter_w * shape[3]!;
  const parts = entryPoint.startsWith("backward_weight")
    ? {}
    : { parts: { param: "batch", tensors: ["input", "output", "grad_output", "grad_input"] } };
  launch({
    module,
    entryPoint,
    element: elementOf(dtype, shape[3]!),
    constants,
    tensors,
    params,
    size: { invocations },
    work: { operations },
    ...parts,
  });
}
