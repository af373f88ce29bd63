import module from "../../shaders/perlin_mask.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import { requireWhole } from "../runtime/options.ts";
import { countOf, empty, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launchDraw, requireDraw, type Draw } from "./random.ts";

/** The marks of a Perlin mask. */
export interface PerlinMaskSettings {
  readonly threshold: number;
  readonly cleanShare: number;
}

const OP = "perlinMask";
const MOST_LEVELS = 6; // lattices of up to 2^5 squares to a side, as far as each is two cells wide

/** Marks of maps of so many cells, f32: 1 where noise exceeds the threshold, 0 elsewhere. */
export function perlinMask(
  device: Device,
  shape: Shape,
  draw: Draw,
  { threshold, cleanShare }: PerlinMaskSettings,
): Tensor {
  requireWhole(OP, "shape [N,H,W]", 1, shape);
  if (shape.length !== 3) throw new OptionError(`${OP}: expected shape [N,H,W], got [${shape.join(",")}]`);
  if (!Number.isFinite(threshold)) throw new OptionError(`${OP}: expected a finite threshold, got ${threshold}`);
  if (!(cleanShare >= 0 && cleanShare <= 1))
    throw new OptionError(`${OP}: expected cleanShare from 0 to 1, got ${cleanShare}`);
  requireDraw(OP, device, draw);
  const [batch, height, width] = shape as [number, number, number];
  const levels = Math.min(MOST_LEVELS, 1 + Math.floor(Math.log2(Math.max(1, Math.min(height, width) / 2))));
  const mask = empty(device, shape);
  launchDraw(draw, {
    module,
    entryPoint: "forward",
    element: "f32",
    tensors: { mask },
    params: { batch, height, width, levels, clean_share: cleanShare, threshold },
    size: { invocations: countOf(shape) },
  });
  return mask;
}
