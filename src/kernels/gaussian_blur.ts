import module from "../../shaders/gaussian_blur.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, release, type Tensor } from "../tensor/tensor.ts";
import { axisOf } from "./axis.ts";
import { floatDType, launch, requireShape } from "./launch.ts";
import { choiceOf } from "../runtime/options.ts";

const BORDERS = ["reflect", "replicate", "zeros"] as const; // indexed by the override BORDER

/** The filter and its border handling. */
export interface GaussianBlurOptions {
  /** Window size in pixels, odd. */
  readonly size: number;
  /** Standard deviation, in pixels. */
  readonly sigma: number;
  /**
   * Pixels beyond the border: "reflect" mirrors about the outermost pixels without repeating them, "replicate" repeats
   * them, "zeros" reads zero. Default "reflect".
   */
  readonly border?: (typeof BORDERS)[number];
}

const LEAST_SIGMA = 2 ** -4; // below this the weights of all neighbours are zero in f32
const MOST_SIGMA = 2 ** 60; // above this all weights are equal in f32

/** `[N,H,W,C]` -> the same shape. */
export function gaussianBlurForward(input: Tensor, options: Required<GaussianBlurOptions>): Tensor {
  const settings = settingsOf({ input }, options);
  return alongBoth(input, (source, axis) => {
    const output = empty(source.device, source.shape, source.dtype);
    run("forward", { input: source, output }, axis, settings, 4);
    return output;
  });
}

/** d loss / d input, `[N,H,W,C]`: the transpose of both passes. */
export function gaussianBlurBackwardInput(
  input: Tensor,
  gradOutput: Tensor,
  options: Required<GaussianBlurOptions>,
): Tensor {
  const settings = settingsOf({ input, gradOutput }, options);
  return alongBoth(gradOutput, (source, axis) => {
    const gradInput = empty(source.device, source.shape, source.dtype);
    run("backward_input", { grad_output: source, grad_input: gradInput }, axis, settings);
    return gradInput;
  });
}

function alongBoth(source: Tensor, pass: (source: Tensor, axis: number) => Tensor): Tensor {
  const rows = pass(source, 2);
  const output = pass(rows, 1);
  release(rows);
  return output;
}

interface Operands extends Record<string, Tensor> {
  readonly input: Tensor;
}

function settingsOf(tensors: Operands, { size, sigma, border }: Required<GaussianBlurOptions>) {
  const { input } = tensors;
  floatDType("gaussianBlur", tensors);
  if (input.shape.length !== 4) shapeError("gaussianBlur", "expected input [N,H,W,C]", tensors);
  if (tensors["gradOutput"]) requireShape("gaussianBlur", "gradOutput", input.shape, tensors);
  const radius = (size - 1) / 2;
  if (!(Number.isInteger(radius) && radius >= 0 && sigma > 0 && Number.isFinite(sigma))) {
    throw new OptionError(`gaussianBlur: expected an odd size and a sigma > 0, got ${size} and ${sigma}`);
  }
  const width = Math.min(Math.max(sigma, LEAST_SIGMA), MOST_SIGMA);
  let total = 0;
  for (let d = -radius; d <= radius; d++) total += Math.exp(-0.5 * (d / width) ** 2);
  return {
    constants: { BORDER: choiceOf("gaussianBlur", "border", BORDERS, border) },
    radius,
    sigma: width,
    share: 1 / total,
  };
}

/** @param owned elements along the axis that one invocation computes */
function run(
  entryPoint: string,
  tensors: Readonly<Record<string, Tensor>>,
  axis: number,
  settings: ReturnType<typeof settingsOf>,
  owned = 1,
): void {
  const [{ shape, dtype }] = Object.values(tensors) as [Tensor];
  const { outer, extent, inner } = axisOf(shape, axis);
  const { constants, ...window } = settings;
  const packs = inner / packOf(inner);
  const params = { outer, extent, packs, ...window };
  const parts = { param: "outer", tensors: Object.keys(tensors) };
  const size = { invocations: outer * Math.ceil(extent / owned) * packs };
  launch({ module, entryPoint, element: elementOf(dtype, inner), constants, tensors, params, size, parts });
}
