import module from "../../shaders/gaussian_blur.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch } from "./launch.ts";

export interface GaussianBlurOptions {
  /** Window, an odd number of pixels. */
  readonly size: number;
  /** Standard deviation, pixels. */
  readonly sigma: number;
}

/** `[N,H,W,C]` -> the same shape; the border is mirrored about the outermost pixels. */
export function gaussianBlurForward(input: Tensor, { size, sigma }: GaussianBlurOptions): Tensor {
  floatDType("gaussianBlur", { input });
  if (input.shape.length !== 4) shapeError("gaussianBlur", "expected input [N,H,W,C]", { input });
  const [batch, height, width, channels] = input.shape as [number, number, number, number];
  const radius = (size - 1) / 2;
  if (!(Number.isInteger(radius) && radius >= 0 && radius < Math.min(height, width) && sigma > 0)) {
    throw new OptionError(`gaussianBlur: expected an odd size within twice the image's ${height}x${width} and sigma > 0, got ${size} and ${sigma}`);
  }
  const packs = channels / packOf(channels);
  const params = { batch, height, width, packs, radius, sigma };
  const pass = (source: Tensor, vertical: boolean): Tensor => {
    const output = empty(input.device, input.shape, input.dtype);
    const tensors = { input: source, output };
    const invocations = batch * height * width * packs;
    launch({ module, entryPoint: "forward", element: elementOf(input.dtype, channels), constants: { VERTICAL: vertical }, tensors, params, size: { invocations } });
    return output;
  };
  const rows = pass(input, false);
  const output = pass(rows, true);
  input.device.release(rows.allocation);
  return output;
}
