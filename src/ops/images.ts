import { imagesForward, type ImageOptions, type Picture, type Placement, type Rectangle } from "../kernels/image.ts";
import { readOptions } from "../kernels/launch.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";

export type { Placement, Rectangle };

export const FITS = ["stretch", "letterbox", "crop"] as const;

/**
 * How a picture fills an image of another shape: stretched, whole with bars of the mean colour, or its centre, cut to the
 * image's shape.
 */
export type Fit = (typeof FITS)[number];

/** Which part of a picture becomes which part of an image of `width` x `height` pixels. */
export function placementOf(fit: Fit, picture: { readonly width: number; readonly height: number }, { width, height }: { readonly width: number; readonly height: number }): Placement {
  const whole = { left: 0, top: 0 };
  switch (fit) {
    case "stretch":
      return { source: { ...whole, width: picture.width, height: picture.height }, target: { ...whole, width, height } };
    case "letterbox": {
      const scale = Math.min(width / picture.width, height / picture.height);
      const target = { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) };
      return { source: { ...whole, width: picture.width, height: picture.height }, target: centred(target, { width, height }) };
    }
    case "crop": {
      const scale = Math.min(picture.width / width, picture.height / height);
      const source = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
      return { source: centred(source, picture), target: { ...whole, width, height } };
    }
  }
}

const centred = (inner: { readonly width: number; readonly height: number }, outer: { readonly width: number; readonly height: number }): Rectangle => ({
  ...inner,
  left: Math.floor((outer.width - inner.width) / 2),
  top: Math.floor((outer.height - inner.height) / 2),
});

/**
 * Uploads photographs, resizes them with antialiasing (PIL's bilinear, to its 8 bits) and normalises their colours.
 *
 * @param pictures 8-bit RGBA, row-major, of any sizes; alpha is ignored
 * @param options size, colours, and `fit`, by default "stretch"
 * @returns `[N, height, width, 3]`, f32, RGB
 * @throws OptionError if a picture's data does not fit its size, or for an option unknown or out of range
 */
export function imagesToTensor(device: Device, pictures: readonly Picture[], options: ImageOptions & { readonly fit?: Fit }): Tensor {
  for (const { width, height, data } of pictures) {
    if (!(width > 0 && height > 0 && data.length === 4 * width * height)) {
      throw new OptionError(`imagesToTensor: a ${width}x${height} RGBA picture has ${4 * width * height} bytes, got ${data.length}`);
    }
  }
  const { fit, ...image } = readOptions<ImageOptions & { readonly fit: Fit }>("imagesToTensor", options, { height: 224, width: 224, mean: [0, 0, 0], deviation: [1, 1, 1], fit: "stretch" });
  if (!FITS.includes(fit)) throw new OptionError(`imagesToTensor: expected fit to be ${FITS.join(", ")}, got ${String(fit)}`);
  return imagesForward(device, pictures, pictures.map((picture) => placementOf(fit, picture, image)), image);
}
