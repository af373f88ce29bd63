import sharp from "sharp";
import { decodeBmp, isBmp } from "../io/bmp.ts";
import type { DecodedImage } from "../io/image.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import { readBytes } from "./files.ts";

const MAX_PIXELS = 268_402_689; // sharp's own limit, 16383 squared

/**
 * Decodes a photograph: png, jpg, tiff, webp and bmp, told apart by their first bytes; its EXIF orientation applied,
 * 16-bit scaled to 8, grey, palette and CMYK turned to RGB, transparency ignored, the first picture of several.
 *
 * @throws InputError with the file's name if it cannot be read or is no whole image
 */
export async function decodeImage(path: string): Promise<DecodedImage> {
  const bytes = await readBytes(path);
  try {
    if (isBmp(bytes)) return decodeBmp(bytes, MAX_PIXELS); // a format that sharp does not know
    const { data, info } = await sharp(bytes, { failOn: "error", limitInputPixels: MAX_PIXELS })
      .rotate()
      .toColourspace("srgb")
      .removeAlpha()
      .ensureAlpha(1)
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${problemOf(bytes, error as Error)}`, { cause: error });
  }
}

/**
 * Decodes one photograph after another, some ahead of the one asked for, and hands them out in order.
 * @param ahead how many may be in memory at a time, 1 at least
 * @throws OptionError if `ahead` is no such number; what is wrong with an image is handed out in its place
 */
export async function* decodeImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  ahead = 4,
): AsyncGenerator<{ readonly item: T; readonly image: DecodedImage } | { readonly item: T; readonly error: Error }> {
  if (!(Number.isInteger(ahead) && ahead >= 1)) throw new OptionError(`decodeImages: ahead is a whole number of at least 1, got ${ahead}`);
  type Outcome = { readonly item: T; readonly image: DecodedImage } | { readonly item: T; readonly error: Error };
  const start = (item: T): Promise<Outcome> =>
    decodeImage(pathOf(item)).then((image) => ({ item, image }), (error: Error) => ({ item, error }));
  const waiting = items.slice(0, ahead).map(start);
  for (let next = waiting.length; waiting.length > 0; next++) {
    const outcome = await waiting.shift()!;
    if (next < items.length) waiting.push(start(items[next]!));
    yield outcome;
  }
}

/** A PNG of bytes in row-major order: RGBA, or grey where there is one for each pixel. */
export async function encodePng(bytes: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  if (bytes.length !== width * height) return sharp(bytes, { raw: { width, height, channels: 4 } }).png().toBuffer();
  return sharp(bytes, { raw: { width, height, channels: 1 } }).toColourspace("b-w").png().toBuffer();
}

/** A JPEG of a photograph, `side` pixels a side whatever its aspect ratio, its alpha ignored. */
export async function encodeJpeg({ data, width, height }: DecodedImage, side: number): Promise<Uint8Array> {
  const opaque = sharp(data, { raw: { width, height, channels: 4 } }).removeAlpha();
  return opaque.resize(side, side, { fit: "fill" }).jpeg({ quality: 85 }).toBuffer();
}

/**
 * What is wrong with an image, for a user. libvips' messages name its own functions, and are now and then lost between
 * two images that are decoded at a time: what is not recognised below is said in one way.
 */
function problemOf(bytes: Uint8Array, error: Error): string {
  const { message } = error;
  if (bytes.length === 0) return "the file is empty";
  if (error instanceof InputError) return message; // our own decoder's
  if (/unsupported image format/i.test(message)) return "it is not an image of a known format";
  if (/pixel limit/i.test(message)) return `it has more than ${MAX_PIXELS} pixels`;
  return "the image is cut off or damaged";
}
