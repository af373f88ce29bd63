import type { DecodedImage } from "../io/image.ts";
import { pictureHeader } from "../io/picture_header.ts";
import { requireStatedRange } from "../io/tiff.ts";
import { InputError } from "../runtime/errors.ts";

const MAX_PIXELS = 100e6; // 400 MB as RGBA, twice while it is decoded: what a page's process can give
const STRIP_PIXELS = 4 << 20; // of a canvas: one of the whole picture would be a third copy of it

/**
 * Decodes a photograph with the browser's own decoders: its EXIF orientation applied, its colours as sRGB, opaque.
 * Works in a worker too. Where it is fully transparent it is black: a canvas keeps no colour there. What the file
 * claims to be is looked at first: unknown formats, TIFFs without a stated range and pictures of too many pixels are
 * refused as Node does.
 *
 * @param source a file's contents, or a picture that the browser already holds
 * @param limit the most pixels it may have
 * @throws InputError if the browser cannot read it
 */
export async function decodeImage(
  source: ImageBitmapSource,
  { maxPixels: limit = MAX_PIXELS }: { readonly maxPixels?: number } = {},
): Promise<DecodedImage> {
  const refuse = (reason: string, cause: unknown): never => {
    throw new InputError(`cannot read ${source instanceof File ? source.name : "the image"}: ${reason}`, { cause });
  };
  if (source instanceof Blob) {
    try {
      const { tiff } = pictureHeader(new Uint8Array(await source.arrayBuffer()), limit);
      if (tiff) requireStatedRange(tiff);
    } catch (error) {
      refuse((error as Error).message, error);
    }
  }
  const bitmap = await createImageBitmap(source, {
    imageOrientation: "from-image",
    premultiplyAlpha: "none",
    colorSpaceConversion: "default",
  }).catch((cause: unknown) => refuse("the image is damaged, or the browser does not decode its format", cause));
  try {
    return { width: bitmap.width, height: bitmap.height, data: pixelsOf(bitmap) };
  } catch (cause) {
    return refuse(`${bitmap.width}x${bitmap.height} pixels are more than the browser's memory holds`, cause);
  } finally {
    bitmap.close();
  }
}

/** A picture's RGBA, opaque, read strip by strip. */
function pixelsOf(bitmap: ImageBitmap): Uint8Array {
  const { width, height } = bitmap;
  const data = new Uint8Array(4 * width * height);
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP_PIXELS / width)));
  const context = new OffscreenCanvas(width, rows).getContext("2d", { willReadFrequently: true })!;
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    data.set(context.getImageData(0, 0, width, count, { colorSpace: "srgb" }).data, 4 * width * top);
  }
  for (let at = 3; at < data.length; at += 4) data[at] = 255;
  return data;
}
