import module from "../../shaders/conv2d.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, release, type Shape, type Tensor } from "../tensor/tensor.ts";
import { activationConstants } from "./activation.ts";
import { settleAs } from "./cast.ts";
import { geometryOf, type ConvolutionOptions, type Epilogue } from "./convolution.ts";
import { floatDType, launch, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

const SLICE_ROWS = 8; // output rows that one invocation of the filter gradient walks

/** Geometry of a dense convolution. */
export interface Conv2dOptions extends ConvolutionOptions {
  /** Channels are split into this many groups that do not see each other. Default 1. */
  readonly groups?: number;
}

/** `[N,H,W,C]`, `[R,S,C/g,K]` -> `[N,P,Q,K]`. */
export function conv2dForward(input: Tensor, filters: Tensor, { bias = null, activation = null }: Epilogue, options: Conv2dOptions): Tensor {
  const { params, element } = paramsOf(input, filters.shape, options, { input, filters, ...(bias && { bias }) });
  const output = empty(input.device, [params.batch, params.out_height, params.out_width, filters.shape[3]!], input.dtype);
  launch({
    module,
    entryPoint: "forward",
    element,
    constants: { BIAS: bias !== null, ...activationConstants("conv2d", activation) },
    tensors: { input, filters, bias: bias ?? filters, output },
    params,
    size: { invocations: params.batch * params.out_height * params.out_width * params.packs },
    parts: { param: "batch", tensors: ["input", "output"] },
  });
  return output;
}

/** d loss / d input, `[N,H,W,C]`. */
export function conv2dBackwardInput(input: Tensor, filters: Tensor, gradOutput: Tensor, options: Conv2dOptions): Tensor {
  const { params, element } = paramsOf(input, filters.shape, options, { input, filters, gradOutput });
  const gradInput = empty(input.device, input.shape, input.dtype);
  const tensors = { filters, grad_output: gradOutput, grad_input: gradInput };
  const invocations = params.batch * params.height * params.width * params.channels;
  launch({ module, entryPoint: "backward_input", element, tensors, params, size: { invocations }, parts: { param: "batch", tensors: ["grad_output", "grad_input"] } });
  return gradInput;
}

/** d loss / d filters, `[R,S,C/g,K]`. */
export function conv2dBackwardFilters(input: Tensor, filters: Tensor, gradOutput: Tensor, options: Conv2dOptions): Tensor {
  const { params, element } = paramsOf(input, filters.shape, options, { input, filters, gradOutput });
  const [r, s, c, k] = filters.shape as [number, number, number, number];
  const partial = empty(input.device, [params.slices, r, s, c, k]);
  const tensors = { input, grad_output: gradOutput, grad_filters: partial };
  const invocations = params.slices * r * s * c * params.packs;
  launch({ module, entryPoint: "backward_filters", element, tensors, params, size: { invocations } });
  const sum = reduceMiddle(partial, { groups: 1, extent: params.slices, channels: r * s * c * k }, filters.shape, "sum");
  release(partial);
  return settleAs(sum, filters.dtype);
}

function paramsOf(input: Tensor, filters: Shape, options: Conv2dOptions, tensors: Record<string, Tensor>) {
  const dtype = floatDType("conv2d", tensors);
  if (input.shape.length !== 4 || filters.length !== 4) shapeError("conv2d", "expected input [N,H,W,C] and filters [R,S,C/groups,K]", tensors);
  const [batch, height, width, channels] = input.shape as [number, number, number, number];
  const [filter_h, filter_w, groupChannels, filterCount] = filters as [number, number, number, number];
  const filter_groups = options.groups ?? 1;
  if (!Number.isInteger(filter_groups) || filter_groups < 1 || channels % filter_groups !== 0 || filterCount % filter_groups !== 0) {
    throw new OptionError(`conv2d: expected groups to divide ${channels} channels and ${filterCount} filters, got ${filter_groups}`);
  }
  if (groupChannels !== channels / filter_groups) shapeError("conv2d", `expected filters [R,S,${channels / filter_groups},K]`, tensors);
  const geometry = geometryOf("conv2d", [height, width], [filter_h, filter_w], options);
  if (tensors["bias"]) requireShape("conv2d", "bias", [filterCount], tensors);
  if (tensors["gradOutput"]) requireShape("conv2d", "gradOutput", [batch, geometry.out_height, geometry.out_width, filterCount], tensors);
  const perGroup = filterCount / filter_groups; // a pack never straddles two groups
  const packs = filterCount / packOf(perGroup);
  const slices = Math.max(1, Math.ceil((batch * geometry.out_height) / SLICE_ROWS));
  const params = { batch, height, width, channels, packs, filter_h, filter_w, filter_groups, ...geometry, rows: SLICE_ROWS, slices };
  return { params, element: elementOf(dtype, perGroup) };
}
