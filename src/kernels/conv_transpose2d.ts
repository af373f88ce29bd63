import { OptionError, shapeError } from "../runtime/errors.ts";
import { requireWhole } from "../runtime/options.ts";
import type { Shape, Tensor } from "../tensor/tensor.ts";
import { conv2dBackwardInput, conv2dBackwardWeight, conv2dForward, type Conv2dOptions } from "./conv2d.ts";
import { floatDType, pairOf, requireShape, type Pair } from "./launch.ts";

/** Geometry of a transposed convolution: that of the convolution whose gradient it is. */
export interface ConvTranspose2dOptions extends Omit<Conv2dOptions, "padding"> {
  /** Pixels that are cut off on each side of the output. Default 0. */
  readonly padding?: Pair;
  /** Pixels that are added below and right of the output, fewer than the stride. Default 0. */
  readonly outputPadding?: Pair;
}

const OP = "convTranspose2d";

// A transposed convolution is the gradient of a convolution's input, and its own gradients are that convolution and the
// gradient of its weight: no kernel is new.

/**
 * `[N,H,W,C]`, `[R,S,K/g,C]` -> `[N,P,Q,K]`.
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option out of range, or an output
 *   that would be empty
 */
export function convTranspose2dForward(input: Tensor, weight: Tensor, options: ConvTranspose2dOptions): Tensor {
  const { device, dtype } = input;
  const shape = outputOf(input, weight, options);
  return conv2dBackwardInput({ device, dtype, shape }, weight, input, convolutionOf(options));
}

/** d loss / d input, `[N,H,W,C]`. */
export const convTranspose2dBackwardInput = (
  weight: Tensor,
  gradOutput: Tensor,
  options: ConvTranspose2dOptions,
): Tensor => conv2dForward(gradOutput, weight, {}, convolutionOf(options));

/** d loss / d weight, `[R,S,K/g,C]`. */
export const convTranspose2dBackwardWeight = (
  input: Tensor,
  weight: Tensor,
  gradOutput: Tensor,
  options: ConvTranspose2dOptions,
): Tensor => conv2dBackwardWeight(gradOutput, weight, input, convolutionOf(options));

/** The convolution from the output to the input. */
const convolutionOf = ({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvTranspose2dOptions) => ({
  stride,
  padding,
  dilation,
  groups,
});

/** The only place where the output's extent is derived. */
function outputOf(input: Tensor, weight: Tensor, options: ConvTranspose2dOptions): Shape {
  const tensors = { input, weight };
  floatDType(OP, tensors);
  if (input.shape.length !== 4 || weight.shape.length !== 4)
    shapeError(OP, "expected input [N,H,W,C] and weight [R,S,K/groups,C]", tensors);
  const [batch, height, width, channels] = input.shape as [number, number, number, number];
  const [r, s, groupOutputs] = weight.shape as [number, number, number, number];
  requireShape(OP, "weight", [r, s, groupOutputs, channels], tensors);
  const { groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    throw new OptionError(`${OP}: expected groups to divide ${channels} channels, got ${groups}`);
  const pair = (name: "stride" | "padding" | "outputPadding" | "dilation", least: 0 | 1) => {
    const values = pairOf(options[name] ?? least);
    requireWhole(OP, name, least, values);
    return values;
  };
  const [stride, dilation] = [pair("stride", 1), pair("dilation", 1)];
  const [padding, outputPadding] = [pair("padding", 0), pair("outputPadding", 0)];
  if (outputPadding.some((added, axis) => added >= stride[axis]!))
    throw new OptionError(
      `${OP}: expected outputPadding below the stride ${stride.join()}, got ${outputPadding.join()}`,
    );
  const extent = (size: number, taps: number, axis: 0 | 1): number =>
    (size - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (taps - 1) + outputPadding[axis] + 1;
  const [outHeight, outWidth] = [extent(height, r, 0), extent(width, s, 1)];
  if (!(height > 0 && width > 0 && r > 0 && s > 0)) shapeError(OP, "expected pixels and a window", tensors);
  if (!(outHeight > 0 && outWidth > 0))
    throw new OptionError(`${OP}: the output would have ${outHeight} x ${outWidth} pixels; use less padding`);
  return [batch, outHeight, outWidth, groups * groupOutputs];
}
