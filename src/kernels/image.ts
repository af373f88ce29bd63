import module from "../../shaders/image.wgsl";
import type { Device } from "../runtime/device.ts";
import { empty, fromArray, release, zeros, type Tensor } from "../tensor/tensor.ts";
import type { DecodedImage } from "../io/image.ts";
import type { Placement } from "../io/placement.ts";
import { launch } from "./launch.ts";

/** Conversion of photographs to a tensor. */
export interface ImageOptions {
  readonly height: number;
  readonly width: number;
  /** Subtracted from R, G, B in [0, 1]. */
  readonly mean: readonly [number, number, number];
  /** Divides R, G, B. */
  readonly std: readonly [number, number, number];
}

const MOST_FILTERS = 16; // eight picture sizes, two filters each

/** Caches the resize filters of the last few picture sizes. */
export class ResizeFilters {
  readonly #filters = new Map<string, Tensor>(); // most recently used last

  /** The filters that resize `extent` pixels to `outExtent`. */
  of(device: Device, extent: number, outExtent: number): Tensor {
    const key = `${extent} ${outExtent}`;
    const filter = this.#filters.get(key) ?? triangleFilters(device, extent, outExtent);
    this.#filters.delete(key);
    this.#filters.set(key, filter);
    const [oldest] = this.#filters;
    if (this.#filters.size > MOST_FILTERS) this.#drop(...oldest!);
    return filter;
  }

  /** Releases their storage. */
  release(): void {
    for (const entry of [...this.#filters]) this.#drop(...entry);
  }

  #drop(key: string, filter: Tensor): void {
    release(filter);
    this.#filters.delete(key);
  }
}

/**
 * Pictures of any size -> `[N,height,width,3]`, resized with antialiased bilinear filtering as in Pillow; zero (the
 * mean) outside the placed picture. Alpha is ignored.
 */
export function imagesForward(
  device: Device,
  pictures: readonly DecodedImage[],
  placements: readonly Placement[],
  options: ImageOptions,
  filters: ResizeFilters,
): Tensor {
  const covered = placements.every(({ target }) => target.width === options.width && target.height === options.height);
  const output = (covered ? empty : zeros)(device, [pictures.length, options.height, options.width, 3]);
  pictures.forEach((picture, n) => imageForward(device, picture, placements[n]!, output, n, options, filters));
  return output;
}

function imageForward(
  device: Device,
  { width, data }: DecodedImage,
  { source, target }: Placement,
  output: Tensor,
  n: number,
  options: ImageOptions,
  filters: ResizeFilters,
): void {
  const columns = empty(device, [source.height, target.width], "u32");
  const bandRows = Math.max(1, Math.min(source.height, Math.floor(device.maxBindingBytes / (4 * source.width))));
  const shared = {
    ...colours(options),
    extent: source.width,
    columns: target.width,
    out_width: options.width,
    out_left: target.left,
  };
  const across = filters.of(device, source.width, target.width);
  for (let row = 0; row < source.height; row += bandRows) {
    const rows = Math.min(bandRows, source.height - row);
    const bytes = new Uint8Array(4 * rows * source.width); // aligned to 4 bytes, and only the source's columns
    for (let i = 0; i < rows; i++) {
      const first = 4 * ((source.top + row + i) * width + source.left);
      bytes.set(data.subarray(first, first + 4 * source.width), 4 * i * source.width);
    }
    const band = fromArray(device, [rows, source.width], new Uint32Array(bytes.buffer));
    launch({
      module,
      entryPoint: "horizontal",
      element: "f32",
      tensors: { pixels: band, filters: across, columns_output: columns },
      params: { ...shared, rows, taps: tapsOf(across), out_row: row },
      size: { invocations: rows * target.width },
    });
    release(band);
  }
  const down = filters.of(device, source.height, target.height);
  launch({
    module,
    entryPoint: "vertical",
    element: "f32",
    tensors: { columns, filters: down, output },
    params: { ...shared, rows: target.height, taps: tapsOf(down), out_row: n * options.height + target.top },
    size: { invocations: target.height * target.width },
  });
  release(columns);
}

const WEIGHT_BITS = 22; // Pillow's precision for 8-bit channels

/**
 * Triangle filters: for each output along an axis the first input, the number of inputs, and integer weights that sum
 * to 2^22.
 */
function triangleFilters(device: Device, extent: number, outExtent: number): Tensor {
  const scale = extent / outExtent;
  const reach = Math.max(scale, 1);
  const taps = 2 * Math.ceil(reach) + 1;
  const filters = new Uint32Array(outExtent * (taps + 2));
  for (let out = 0; out < outExtent; out++) {
    const centre = (out + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(extent, Math.trunc(centre + reach + 0.5)) - first;
    const weights = Array.from({ length: count }, (_, i) =>
      Math.max(0, 1 - Math.abs((first + i + 0.5 - centre) / reach)),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const at = out * (taps + 2);
    filters.set([first, count, ...weights.map((weight) => Math.trunc(0.5 + (weight / total) * 2 ** WEIGHT_BITS))], at);
  }
  return fromArray(device, [outExtent, taps + 2], filters);
}

const tapsOf = (filters: Tensor): number => filters.shape[1]! - 2;

const colours = ({ mean, std }: ImageOptions) => ({
  mean_r: mean[0],
  mean_g: mean[1],
  mean_b: mean[2],
  std_r: std[0],
  std_g: std[1],
  std_b: std[2],
});
