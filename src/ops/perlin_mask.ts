import * as kernels from "../kernels/perlin_mask.ts";
import type { Draw } from "../kernels/random.ts";
import type { Device } from "../runtime/device.ts";
import { readOptions } from "../runtime/options.ts";
import type { Shape, Tensor } from "../tensor/tensor.ts";

/** Options of `perlinMask`. */
export interface PerlinMaskOptions {
  /** Noise, from -1 to 1, above which a cell is marked. Default 0.2. */
  readonly threshold?: number;
  /** Probability of an image to have no marks, from 0 to 1. Default 0.5. */
  readonly cleanShare?: number;
}

/**
 * Marks irregular patches of maps: cells whose Perlin noise, of a random scale for each image and direction, exceeds a
 * threshold. Equal draws mark the same cells on one device. Not differentiable.
 *
 * @param shape `[N, H, W]`
 * @param draw identifies the random numbers
 * @returns `shape`, f32: 1 where marked, 0 elsewhere; all 0 where the noise stays below the threshold
 * @throws OptionError for another shape, an option unknown or out of range, or a draw as for `randomWords`; ShapeError
 *   for a step tensor that is not u32 `[1]`
 * @see Perlin, "An image synthesizer", 1985; SuperSimpleNet, 2024
 */
export const perlinMask = (device: Device, shape: Shape, draw: Draw, options: PerlinMaskOptions = {}): Tensor =>
  kernels.perlinMask(
    device,
    shape,
    draw,
    readOptions<Required<PerlinMaskOptions>>("perlinMask", options, { threshold: 0.2, cleanShare: 0.5 }),
  );
