import { requireOneDevice } from "../kernels/launch.ts";
import { readOptions } from "../runtime/options.ts";
import { shapeError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Activation } from "./activation.ts";
import { multiply } from "./elementwise.ts";
import { pointwiseConv2d } from "./matmul.ts";
import { mean } from "./reduce.ts";

/** A linear layer on the mean over H, W. */
export interface SqueezeLayer {
  /** `[inputs, outputs]`, the image's dtype. */
  readonly weight: Tensor;
  /** `[outputs]`. Default: none. */
  readonly bias?: Tensor | null;
}

/** Activation functions of both layers. */
export interface SqueezeExcitationOptions {
  /** Activation of the reducing layer. Default "relu". */
  readonly activation?: Activation;
  /** Activation of the expanding layer, whose output scales the channels. Default "sigmoid". */
  readonly gate?: Activation;
}

/**
 * Squeeze and excitation: scales each channel of each image by a gate that two small layers compute from the channels'
 * means over H and W. Differentiable in the input, both weights and both biases.
 *
 * @param input `[N, H, W, C]`, f32 or f16
 * @param reduce weight `[C, S]`, bias `[S]`
 * @param expand weight `[S, C]`, bias `[C]`
 * @returns the input's shape and dtype
 * @throws ShapeError if shapes or dtypes disagree with the above; OptionError for an option out of range or unknown
 * @see Hu et al., "Squeeze-and-excitation networks", 2018
 */
export function squeezeExcitation(
  input: Tensor,
  reduce: SqueezeLayer,
  expand: SqueezeLayer,
  options: SqueezeExcitationOptions = {},
): Tensor {
  const { activation, gate } = readOptions<Required<SqueezeExcitationOptions>>("squeezeExcitation", options, {
    activation: "relu",
    gate: "sigmoid",
  });
  if (input.shape.length !== 4) shapeError("squeezeExcitation", "expected input [N,H,W,C]", { input });
  const { weight, bias } = reduce;
  const layers = {
    weight,
    ...(bias && { bias }),
    expandWeight: expand.weight,
    ...(expand.bias && { expandBias: expand.bias }),
  };
  requireOneDevice("squeezeExcitation", { input, ...layers });
  const squeezed = pointwiseConv2d(mean(input, [1, 2]), reduce.weight, { bias: reduce.bias ?? null, activation });
  return multiply(input, pointwiseConv2d(squeezed, expand.weight, { bias: expand.bias ?? null, activation: gate }));
}
