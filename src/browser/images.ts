import type { DecodedImage } from "../io/image.ts";
import { InputError } from "../runtime/errors.ts";

/**
 * Decodes a photograph with the browser's own decoders, its EXIF orientation applied. Works in a worker too.
 * @throws InputError if the browser cannot read it
 */
export async function decodeImage(source: Blob): Promise<DecodedImage> {
  const bitmap = await createImageBitmap(source, { imageOrientation: "from-image", premultiplyAlpha: "none" }).catch((cause: unknown) => {
    throw new InputError(`cannot read ${source instanceof File ? source.name : "the image"}: the browser knows no such image`, { cause });
  });
  try {
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, data: new Uint8Array(data.buffer) };
  } finally {
    bitmap.close();
  }
}
