import module from "../../shaders/image.wgsl";
import type { Device } from "../runtime/device.ts";
import { empty, fromArray, type Tensor } from "../tensor/tensor.ts";
import { launch } from "./launch.ts";

/** An 8-bit picture, RGBA row-major; alpha is ignored. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface ImageOptions {
  readonly height: number;
  readonly width: number;
  /** Subtracted from R, G, B in [0, 1]. */
  readonly mean: readonly [number, number, number];
  /** Divides R, G, B. */
  readonly deviation: readonly [number, number, number];
}

/** Pictures of any sizes -> `[N,height,width,3]`, antialiased bilinear as PIL's, the aspect ratio ignored. */
export function imagesForward(device: Device, pictures: readonly Picture[], options: ImageOptions): Tensor {
  const output = empty(device, [pictures.length, options.height, options.width, 3]);
  pictures.forEach((picture, n) => imageForward(device, picture, output, n, options));
  return output;
}

function imageForward(device: Device, { width, height, data }: Picture, output: Tensor, n: number, options: ImageOptions): void {
  const columns = empty(device, [height, options.width, 3]);
  const bandRows = Math.max(1, Math.min(height, Math.floor(device.maxBindingBytes / (4 * width))));
  for (let row = 0; row < height; row += bandRows) {
    const rows = Math.min(bandRows, height - row);
    const bytes = Uint8Array.from(data.subarray(4 * row * width, 4 * (row + rows) * width)); // a copy, aligned
    const band = fromArray(device, [rows, width], new Uint32Array(bytes.buffer));
    launch({
      module,
      entryPoint: "horizontal",
      element: "f32",
      tensors: { pixels: band, output: columns },
      params: { ...colours(options), rows, extent: width, out_extent: options.width, out_width: options.width, out_offset: row },
      size: { invocations: rows * options.width },
    });
    device.release(band.allocation);
  }
  launch({
    module,
    entryPoint: "vertical",
    element: "f32",
    tensors: { columns, output },
    params: { ...colours(options), rows: options.height, extent: height, out_extent: options.height, out_width: options.width, out_offset: n * options.height },
    size: { invocations: options.height * options.width },
  });
  device.release(columns.allocation);
}

const colours = ({ mean, deviation }: ImageOptions) => ({
  mean_r: mean[0],
  mean_g: mean[1],
  mean_b: mean[2],
  deviation_r: deviation[0],
  deviation_g: deviation[1],
  deviation_b: deviation[2],
});
