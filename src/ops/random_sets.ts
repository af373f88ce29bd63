import * as kernels from "../kernels/random_sets.ts";
import type { Draw } from "../kernels/random.ts";
import type { Device } from "../runtime/device.ts";
import type { Shape, Tensor } from "../tensor/tensor.ts";

/**
 * Deals elements into disjoint sets at random, each as large as the others or by one larger. Equal draws give equal
 * sets on every device. Not differentiable.
 *
 * @param shape at least one element, at most 2^20: the work grows with the square of their number
 * @param sets number of sets, from 1 to 2^16
 * @param draw identifies the random numbers
 * @returns `shape`, f32: the set of each element, from 0 to sets - 1
 * @throws OptionError for a shape or a number of sets out of range, or a draw as for `randomWords`; ShapeError for a
 *   step tensor that is not u32 `[1]`
 */
export const randomSets = (device: Device, shape: Shape, sets: number, draw: Draw): Tensor =>
  kernels.randomSets(device, shape, sets, draw);
