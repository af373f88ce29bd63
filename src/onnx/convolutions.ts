import type { Call } from "../autograd/listing.ts";
import { weightToOihw } from "../io/nchw.ts";
import type { Activation } from "../kernels/activation.ts";
import { geometryOf, type ConvolutionOptions } from "../kernels/convolution.ts";
import type { ConvTranspose2dOptions } from "../kernels/conv_transpose2d.ts";
import { pairOf, type Pair } from "../kernels/launch.ts";
import type { Shape, Tensor } from "../tensor/tensor.ts";
import { activate } from "./activations.ts";
import { flag, image, optionsOf, refuse, type Conversion, type Converted, type Rule } from "./conversion.ts";

/** A norm after a convolution: a factor and an offset for each of its channels. */
interface Affine {
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

/** A convolution of any kind, with the norm after it folded in. */
export function convolution(call: Call, to: Conversion, norm: Affine | null): Converted {
  const {
    inputs: [input, weight, bias],
    output,
  } = call;
  const options = optionsOf<ConvolutionOptions & { readonly groups?: number; readonly activation: Activation | null }>(
    call,
  );
  const { shape, group } = weightOf(call, options.groups ?? 1);
  const [height, width, , channels] = shape;
  const elements = to.elementsOf(weight!);
  const scaled = norm ? elements.map((value, i) => value * norm.scale[i % channels]!) : elements;
  const kernel = to.constant([channels, shape[2], height, width], weightToOihw(scaled, shape));
  const offsets = norm
    ? norm.offset.map((value, c) => value + norm.scale[c]! * (bias ? to.elementsOf(bias)[c]! : 0))
    : bias && to.elementsOf(bias);
  const name = to.node(
    "Conv",
    [to.image(input!), kernel, ...(offsets ? [to.constant([channels], Float32Array.from(offsets))] : [])],
    {
      kernel_shape: [height, width],
      ...windowAttributes(call.op, input!.shape, output.shape, [height, width], options),
      dilations: pairOf(options.dilation ?? 1),
      group,
    },
  );
  return image(activate(options.activation, name, to));
}

/** A transposed convolution: ONNX's weights are those of the convolution whose gradient it is. */
export function transposedConvolution(call: Call, to: Conversion): Converted {
  const [input, weight] = call.inputs as [Tensor, Tensor];
  const { stride, padding, outputPadding, dilation, groups } = optionsOf<Required<ConvTranspose2dOptions>>(call);
  const shape = weight.shape as readonly [number, number, number, number];
  const [height, width, outputs, channels] = shape;
  const kernel = to.constant([channels, outputs, height, width], weightToOihw(to.elementsOf(weight), shape));
  const [top, left] = pairOf(padding);
  return image(
    to.node("ConvTranspose", [to.image(input), kernel], {
      kernel_shape: [height, width],
      strides: pairOf(stride),
      pads: [top, left, top, left],
      output_padding: pairOf(outputPadding),
      dilations: pairOf(dilation),
      group: groups,
    }),
  );
}

/** Weights of any convolution as `[R,S,I,O]`. */
function weightOf(
  { op, inputs: [, weight] }: Call,
  groups: number,
): { readonly shape: readonly [number, number, number, number]; readonly group: number } {
  const { shape } = weight!;
  if (op === "pointwiseConv2d") return { shape: [1, 1, shape[0]!, shape[1]!], group: 1 };
  if (op === "depthwiseConv2d") return { shape: [shape[0]!, shape[1]!, 1, shape[2]!], group: shape[2]! };
  return { shape: shape as readonly [number, number, number, number], group: groups };
}

/** Strides and padding, [top, left, bottom, right]: below and right only as far as the last window reaches. */
function windowAttributes(
  op: string,
  [, height, width]: Shape,
  [, outHeight, outWidth]: Shape,
  [tapsH, tapsW]: readonly [number, number],
  options: ConvolutionOptions,
) {
  const { stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w } = geometryOf(
    op,
    [height!, width!],
    [tapsH, tapsW],
    options,
  );
  const after = (extent: number, before: number, out: number, stride: number, taps: number, dilation: number): number =>
    Math.max(0, (out - 1) * stride + dilation * (taps - 1) + 1 - extent - before);
  const bottom = after(height!, pad_top, outHeight!, stride_h, tapsH, dilation_h);
  const right = after(width!, pad_left, outWidth!, stride_w, tapsW, dilation_w);
  return { strides: [stride_h, stride_w], pads: [pad_top, pad_left, bottom, right] };
}

export function foldedNorm(call: Call, to: Conversion): Converted {
  const [input, affine, running] = call.inputs as [Tensor, Tensor, Tensor];
  const before = to.callOf(input);
  if (
    !before?.op.toLowerCase().endsWith("conv2d") ||
    optionsOf<{ activation: Activation | null }>(before).activation !== null
  ) {
    return refuse("a batch norm that does not follow a convolution");
  }
  const { eps } = optionsOf<{ eps: number }>(call);
  const [learned, measured] = [to.elementsOf(affine), to.elementsOf(running)];
  const channels = learned.length / 2;
  const scale = Float64Array.from(
    { length: channels },
    (_, c) => learned[c]! / Math.sqrt(measured[channels + c]! + eps),
  );
  return convolution(before, to, {
    scale,
    offset: scale.map((factor, c) => learned[channels + c]! - factor * measured[c]!),
  });
}

export function pool(op: string): Rule {
  return (call, to) => {
    const {
      inputs: [input],
      output,
    } = call;
    const { window, countIncludePad, ...options } = optionsOf<{
      window: Pair;
      stride: Pair;
      padding: Pair;
      countIncludePad?: boolean;
    }>(call);
    const taps = pairOf(window);
    const attributes = windowAttributes(call.op, input!.shape, output.shape, taps, options);
    const counting = countIncludePad === undefined ? {} : { count_include_pad: flag(countIncludePad) };
    return image(to.node(op, [to.image(input!)], { kernel_shape: taps, ...attributes, ...counting }));
  };
}
