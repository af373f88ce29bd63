import module from "../../shaders/histogram.wgsl";
import { OptionError } from "../runtime/errors.ts";
import { countOf, zeros, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch } from "./launch.ts";
import { requireWhole } from "../runtime/options.ts";

const LANES = 256; // lanes of a workgroup
const STRETCH = 32; // elements per lane, as in the shader
const TILE = 1024; // bins per workgroup, as in the shader

/** The bins of a histogram. */
export interface HistogramOptions {
  /** Number of bins of equal width. */
  readonly bins: number;
  /** Lower edge of the first bin. */
  readonly low: number;
  /** Upper edge of the last bin, inclusive. */
  readonly high: number;
}

/** Counts per bin, `[bins]` u32. */
export function histogramForward(input: Tensor, { bins, low, high }: HistogramOptions): Tensor {
  const dtype = floatDType("histogram", { input });
  requireWhole("histogram", "bins", 1, [bins]);
  if (!(low < high && Number.isFinite(high - low)))
    throw new OptionError(`histogram: expected finite low < high, got ${low} and ${high}`);
  const count = countOf(input.shape);
  const tiles = Math.ceil(bins / TILE);
  const counts = zeros(input.device, [bins], "u32");
  launch({
    module,
    entryPoint: "forward",
    element: dtype,
    constants: { WORKGROUP_SIZE: LANES },
    tensors: { input, counts },
    params: { count, bins, tiles, low, high },
    size: { workgroups: Math.ceil(count / (LANES * STRETCH)) * tiles },
  });
  return counts;
}
