import * as kernels from "../kernels/random.ts";
import type { Draw } from "../kernels/random.ts";
import type { Device } from "../runtime/device.ts";
import type { Shape, Tensor } from "../tensor/tensor.ts";

export type { Draw };

/**
 * Random 32-bit words: Philox4x32-10 over the elements' indices. Equal draws give equal words on every device.
 * @returns `shape`, u32
 * @throws OptionError for a draw of numbers that are not u32, or whose step is a number while capturing; ShapeError for
 *   a step tensor that is not u32 `[1]`
 * @see Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11
 */
export const randomWords = (device: Device, shape: Shape, draw: Draw): Tensor =>
  kernels.randomWords(device, shape, draw);

/**
 * Uniform numbers between low and high, with 23 random bits; if the interval is narrow relative to its ends, rounding
 * may reach an end.
 * @returns `shape`, f32
 * @throws OptionError for ends that are not finite; otherwise as `randomWords`
 */
export const uniform = (device: Device, shape: Shape, draw: Draw, low = 0, high = 1): Tensor =>
  kernels.uniform(device, shape, draw, low, high);

/**
 * Normal numbers with mean 0, by the Box-Muller method: equal draws give equal numbers on one device; across devices
 * the last bits may differ.
 * @returns `shape`, f32
 * @throws OptionError for a std below 0 or not finite; otherwise as `randomWords`
 */
export const normal = (device: Device, shape: Shape, draw: Draw, std = 1): Tensor =>
  kernels.normal(device, shape, draw, std);
