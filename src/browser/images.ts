import type { DecodedImage } from "../io/image.ts";
import { InputError } from "../runtime/errors.ts";

/**
 * Decodes a photograph with the browser's own decoders: its EXIF orientation applied, its colours as sRGB, opaque. Works
 * in a worker too. Where it is fully transparent it is black: a canvas keeps no colour there.
 *
 * @param source a file's contents, or a picture that the browser already holds
 * @throws InputError if the browser cannot read it
 */
export async function decodeImage(source: ImageBitmapSource): Promise<DecodedImage> {
  const refuse = (reason: string, cause: unknown): never => {
    throw new InputError(`cannot read ${source instanceof File ? source.name : "the image"}: ${reason}`, { cause });
  };
  const bitmap = await createImageBitmap(source, {
    imageOrientation: "from-image",
    premultiplyAlpha: "none",
    colorSpaceConversion: "default",
  }).catch((cause: unknown) => refuse("the browser knows no such image", cause));
  try {
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height, { colorSpace: "srgb" });
    for (let at = 3; at < data.length; at += 4) data[at] = 255;
    return { width, height, data: new Uint8Array(data.buffer) };
  } catch (cause) {
    return refuse(`${bitmap.width}x${bitmap.height} pixels are more than the browser's canvas holds`, cause);
  } finally {
    bitmap.close();
  }
}
