import * as kernels from "../kernels/random.ts";
import type { Draw } from "../kernels/random.ts";
import type { Device } from "../runtime/device.ts";
import type { Shape, Tensor } from "../tensor/tensor.ts";

export type { Draw };

/**
 * Random 32-bit words: Philox4x32-10 over the elements' indices, equal for equal draws on every device.
 * @returns `shape`, u32
 * @throws OptionError for a draw that is not of u32s, or whose step is a number while capturing; ShapeError for one in
 * a tensor that is no u32 `[1]`
 * @see Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11
 */
export const randomWords = (device: Device, shape: Shape, draw: Draw): Tensor =>
  kernels.randomWords(device, shape, draw);

/**
 * Uniform numbers between low and high, of 23 bits; rounding may meet an end where the interval is narrow for its
 * place.
 * @returns `shape`, f32
 * @throws OptionError for ends that are not finite; else as `randomWords`
 */
export const uniform = (device: Device, shape: Shape, draw: Draw, low = 0, high = 1): Tensor =>
  kernels.uniform(device, shape, draw, low, high);

/**
 * Normal numbers with mean 0, by Box and Muller: equal for equal draws on one device, not to the last bit across
 * devices.
 * @returns `shape`, f32
 * @throws OptionError for a deviation below 0 or not finite; else as `randomWords`
 */
export const normal = (device: Device, shape: Shape, draw: Draw, deviation = 1): Tensor =>
  kernels.normal(device, shape, draw, deviation);
