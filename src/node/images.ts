import type Sharp from "sharp";
import { decodeBmp, isBmp } from "../io/bmp.ts";
import { maskUnion, type DecodedImage } from "../io/image.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { Placement, Rectangle } from "../tensor/placement.ts";
import { readBytes } from "./files.ts";

export const MAX_PIXELS = 268_402_689; // sharp's own limit, 16383 squared

/** Loads sharp, which takes as long as opening a GPU: with the first picture, when the GPU has something to do. */
export const loadSharp = async (): Promise<typeof Sharp> => (await import("sharp")).default;

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
    const sharp = await loadSharp();
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
 * Decodes a ground-truth mask as black and white: a pixel is white where the file says anything but 0, be it 1 of 65535.
 * @throws InputError as `decodeImage`
 */
export async function decodeMask(path: string): Promise<DecodedImage> {
  const bytes = await readBytes(path);
  try {
    if (isBmp(bytes)) {
      const picture = decodeBmp(bytes, MAX_PIXELS);
      return marked(picture.data, 4, picture);
    }
    // 8 bits become 16, rather than 16 bits 8: a class of a small number would be lost
    const sharp = await loadSharp();
    const picture = sharp(bytes, { failOn: "error", limitInputPixels: MAX_PIXELS }).rotate().removeAlpha().toColourspace("rgb16");
    const { data, info } = await picture.raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
    return marked(new Uint16Array(Uint8Array.from(data).buffer), info.channels, info);
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${problemOf(bytes, error as Error)}`, { cause: error });
  }
}

/** White where red, green or blue is not 0. */
function marked(samples: Uint8Array | Uint16Array, channels: number, { width, height }: { readonly width: number; readonly height: number }): DecodedImage {
  const data = new Uint8Array(4 * width * height);
  const colours = Math.min(channels, 3);
  for (let i = 0; i < width * height; i++) {
    let any = 0;
    for (let c = 0; c < colours; c++) any |= samples[channels * i + c]!;
    data.fill(any === 0 ? 0 : 255, 4 * i, 4 * i + 3);
    data[4 * i + 3] = 255;
  }
  return { width, height, data };
}

/**
 * All masks of an image together, as they are placed in an image of `width` x `height` (`maskUnion`).
 * @throws InputError as `decodeImage`
 */
export async function decodeMasks(
  paths: readonly string[],
  width: number,
  height: number,
  placementOf?: (mask: DecodedImage) => Placement | undefined,
): Promise<Uint8Array | null> {
  return maskUnion(await Promise.all(paths.map(decodeMask)), width, height, placementOf);
}

/** What became of a photograph that was to be decoded. */
export type Decoded<T> = { readonly item: T; readonly image: DecodedImage } | { readonly item: T; readonly error: Error };

/**
 * Decodes one photograph after another, some ahead of the one asked for, and hands them out in order.
 * @param ahead how many may be in memory at a time, 1 at least
 * @param budget bytes that they may take together: fewer are decoded ahead where the largest so far says that they would take more
 * @throws OptionError if `ahead` is no such number; what is wrong with an image is handed out in its place
 */
export async function* decodeImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  ahead = 4,
  budget = Infinity,
): AsyncGenerator<Decoded<T>> {
  if (!(Number.isInteger(ahead) && ahead >= 1)) throw new OptionError(`decodeImages: ahead is a whole number of at least 1, got ${ahead}`);
  const start = (item: T): Promise<Decoded<T>> =>
    decodeImage(pathOf(item)).then((image) => ({ item, image }), (error: Error) => ({ item, error }));
  let largest = budget; // the first is decoded alone, unless there is no limit
  let next = 0;
  const waiting: Promise<Decoded<T>>[] = [];
  const fill = (): void => {
    const most = budget === Infinity ? ahead : Math.min(ahead, Math.max(1, Math.floor(budget / largest)));
    while (next < items.length && waiting.length < most) waiting.push(start(items[next++]!));
  };
  for (fill(); waiting.length > 0; ) {
    const outcome = await waiting.shift()!;
    if ("image" in outcome) largest = Math.max(largest === budget ? 0 : largest, outcome.image.data.length);
    fill();
    yield outcome;
  }
}

/** A PNG of bytes in row-major order: RGBA, or grey where there is one for each pixel. */
export async function encodePng(bytes: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const sharp = await loadSharp();
  if (bytes.length !== width * height) return sharp(bytes, { raw: { width, height, channels: 4 } }).png().toBuffer();
  return sharp(bytes, { raw: { width, height, channels: 1 } }).toColourspace("b-w").png().toBuffer();
}

/** A JPEG of a photograph, or of a part of it, resized to `toWidth` x `toHeight` pixels whatever its aspect ratio, its alpha ignored. */
export async function encodeJpeg(
  { data, width, height }: DecodedImage,
  toWidth: number,
  toHeight: number,
  part: Rectangle = { left: 0, top: 0, width, height },
): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const opaque = sharp(data, { raw: { width, height, channels: 4 } }).extract(part).removeAlpha();
  return opaque.resize(toWidth, toHeight, { fit: "fill" }).jpeg({ quality: 85 }).toBuffer();
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
