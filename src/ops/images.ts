import { imagesForward, type ImageOptions, type Picture } from "../kernels/image.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Uploads photographs, resizes them with antialiasing (PIL's bilinear; the aspect ratio is ignored) and normalises their colours.
 *
 * @param pictures 8-bit RGBA, row-major, of any sizes; alpha is ignored
 * @returns `[N, height, width, 3]`, f32, RGB
 * @throws OptionError if a picture's data does not fit its size
 */
export function imagesToTensor(device: Device, pictures: readonly Picture[], options: ImageOptions): Tensor {
  for (const { width, height, data } of pictures) {
    if (!(width > 0 && height > 0 && data.length === 4 * width * height)) {
      throw new OptionError(`imagesToTensor: a ${width}x${height} RGBA picture has ${4 * width * height} bytes, got ${data.length}`);
    }
  }
  return imagesForward(device, pictures, options);
}
