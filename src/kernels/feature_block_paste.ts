import module from "../../shaders/feature_block_paste.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { empty, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";
import { requireWhole } from "../runtime/options.ts";
import { requireDraw, type Draw } from "./random.ts";

/** What is pasted, and where. */
export interface FeatureBlockOptions {
  /** Half side of the walk's window is floor(U(0.5, maxHalfSide)), in cells. */
  readonly maxHalfSide: number;
  /** Intensity is U(low, high), in units of the features. */
  readonly intensity: readonly [low: number, high: number];
  /** Steps of the random walk. */
  readonly steps: number;
}

export interface FeatureBlocks {
  /** `[N,H,W]`: 1 at marked cells, 0 elsewhere. */
  readonly mask: Tensor;
  /** `[N,H,W]`: the intensity at marked cells, 0 elsewhere. */
  readonly paste: Tensor;
}

/** One block for each of `batch` images of H x W cells. */
export function drawFeatureBlocks(device: Device, [batch, height, width]: readonly [number, number, number], draw: Draw, options: FeatureBlockOptions): FeatureBlocks {
  const { maxHalfSide, intensity, steps } = options;
  if (!(maxHalfSide >= 0.5 && 2 * Math.floor(maxHalfSide) + 1 <= Math.min(height, width))) {
    throw new OptionError(`featureBlockPaste: expected maxHalfSide from 0.5 to ${(Math.min(height, width) - 1) / 2}, got ${maxHalfSide} for ${height}x${width} cells`);
  }
  requireDraw("featureBlockPaste", draw);
  requireWhole("featureBlockPaste", "steps", 0, [steps]);
  if (!(intensity[0] <= intensity[1] && intensity.every(Number.isFinite))) {
    throw new OptionError(`featureBlockPaste: expected a finite intensity [low, high], got [${intensity.join(",")}]`);
  }
  const mask = empty(device, [batch, height, width]);
  const paste = empty(device, [batch, height, width]);
  const { seed, stream, step } = draw;
  launch({
    module,
    entryPoint: "walk",
    element: "f32",
    tensors: { mask, paste },
    params: { batch, height, width, half_max: maxHalfSide, intensity_low: intensity[0], intensity_high: intensity[1], steps, seed, stream, step },
    size: { invocations: batch },
  });
  return { mask, paste };
}
