import type { DecodedImage } from "../io/image.ts";
import { imagesForward, ResizeFilters, type ImageOptions } from "../kernels/image.ts";
import { readOptions } from "../runtime/options.ts";
import { RESIZES, placementOf, type Resize } from "../io/placement.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

export { ResizeFilters };

/** Options of `imagesToTensor`. */
export interface ImagesToTensorOptions extends ImageOptions {
  /** Default: stretch. */
  readonly resize?: Resize;
  /** A cache that the caller keeps between calls and releases. Default: none. */
  readonly filters?: ResizeFilters | null;
}

/**
 * Uploads photographs, resizes them with antialiasing (Pillow's bilinear filter, exact to its 8 bits) and normalises
 * their colours.
 *
 * @param pictures 8-bit RGBA, row-major, of any sizes; alpha is ignored
 * @param options size, colours, and how a photograph is resized
 * @returns `[N, height, width, 3]`, f32, RGB
 * @throws OptionError if a picture's data does not match its size, or for an option unknown or out of range
 */
export function imagesToTensor(
  device: Device,
  pictures: readonly DecodedImage[],
  options: ImagesToTensorOptions,
): Tensor {
  for (const { width, height, data } of pictures) {
    if (!(width > 0 && height > 0 && data.length === 4 * width * height)) {
      throw new OptionError(
        `imagesToTensor: a ${width}x${height} RGBA picture has ${4 * width * height} bytes, got ${data.length}`,
      );
    }
  }
  const { resize, filters, ...image } = readOptions<Required<ImagesToTensorOptions>>("imagesToTensor", options, {
    height: 224,
    width: 224,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    resize: "stretch",
    filters: null,
  });
  if (!RESIZES.includes(resize))
    throw new OptionError(`imagesToTensor: expected resize to be ${RESIZES.join(", ")}, got ${String(resize)}`);
  const used = filters ?? new ResizeFilters();
  const images = imagesForward(
    device,
    pictures,
    pictures.map((picture) => placementOf(resize, picture, image)),
    image,
    used,
  );
  if (!filters) used.release();
  return images;
}
