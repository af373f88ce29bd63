import type Sharp from "sharp";
import { decodeBmp, isBmp } from "../io/bmp.ts";
import { maskUnion, type DecodedImage } from "../io/image.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { Placement, Rectangle } from "../io/placement.ts";
import { readBytes } from "./files.ts";

export const MAX_PIXELS = 268_402_689; // sharp's own limit, 16383 squared

/** Loads sharp, which takes as long as opening a GPU: with the first picture, when the GPU has something to do. */
export const loadSharp = async (): Promise<typeof Sharp> => (await import("sharp")).default;
// How files of the formats begin that sharp is given. It knows more, among them languages such as SVG, which are programs rather
// than pictures: they may name other files, and take any time.
const BEGINNINGS: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], // png
  [0xff, 0xd8, 0xff], // jpg
  [0x49, 0x49, 0x2a, 0], [0x4d, 0x4d, 0, 0x2a], [0x49, 0x49, 0x2b, 0], [0x4d, 0x4d, 0, 0x2b], // tiff, and its form for large files
  [0x52, 0x49, 0x46, 0x46], // webp
  [0x47, 0x49, 0x46, 0x38], // gif
];

/** Whether a file begins as one of a format that sharp is to decode. */
export const isForSharp = (file: Uint8Array): boolean => BEGINNINGS.some((beginning) => beginning.every((byte, i) => file[i] === byte));

const UNKNOWN_FORMAT = "it is not an image of a known format";

function requireKnown(file: Uint8Array): void {
  if (file.length > 0 && !isForSharp(file)) throw new InputError(UNKNOWN_FORMAT);
}

/**
 * Decodes a photograph: png, jpg, tiff, webp, gif and bmp, told apart by their first bytes; its EXIF orientation applied,
 * 16-bit scaled to 8, grey, palette and CMYK turned to RGB, transparency ignored, the first picture of several.
 *
 * @param limit the most pixels it may have
 * @throws InputError with the file's name if it cannot be read or is no whole image
 */
export async function decodeImage(path: string, limit = MAX_PIXELS): Promise<DecodedImage> {
  return decodeImageBytes(await readBytes(path), path, limit);
}

/**
 * Decodes a photograph as `decodeImage` does.
 * @param name the file's, for errors
 */
export async function decodeImageBytes(bytes: Uint8Array, name: string, limit = MAX_PIXELS): Promise<DecodedImage> {
  try {
    if (isBmp(bytes)) return decodeBmp(bytes, limit); // a format that sharp does not know
    requireKnown(bytes);
    const sharp = await loadSharp();
    const { data, info } = await sharp(bytes, { failOn: "error", limitInputPixels: limit })
      .rotate()
      .toColourspace("srgb")
      .removeAlpha()
      .ensureAlpha(1)
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (error) {
    throw new InputError(`cannot read ${name}: ${problemOf(bytes, error as Error, limit)}`, { cause: error });
  }
}

/**
 * Decodes a ground-truth mask as black and white: a pixel is white where the file says anything but 0, be it 1 of 65535.
 * @throws InputError as `decodeImage`
 */
export async function decodeMask(path: string): Promise<DecodedImage> {
  return decodeMaskBytes(await readBytes(path), path);
}

/**
 * Decodes a mask as `decodeMask` does.
 * @param name the file's, for errors
 * @param limit the most pixels it may have
 */
export async function decodeMaskBytes(bytes: Uint8Array, name: string, limit = MAX_PIXELS): Promise<DecodedImage> {
  try {
    if (isBmp(bytes)) {
      const picture = decodeBmp(bytes, limit);
      return marked(picture.data, 4, picture);
    }
    requireKnown(bytes);
    // 8 bits become 16, rather than 16 bits 8: a class of a small number would be lost
    const sharp = await loadSharp();
    const picture = sharp(bytes, { failOn: "error", limitInputPixels: limit }).rotate().removeAlpha().toColourspace("rgb16");
    const { data, info } = await picture.raw({ depth: "ushort" }).toBuffer({ resolveWithObject: true });
    const samples = data.byteOffset % 2 === 0 ? data : new Uint8Array(data); // of six bytes a pixel: copied only where that cannot be helped
    return marked(new Uint16Array(samples.buffer, samples.byteOffset, data.length / 2), info.channels, info);
  } catch (error) {
    throw new InputError(`cannot read ${name}: ${problemOf(bytes, error as Error, limit)}`, { cause: error });
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

const AHEAD_BYTES = 256e6;

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
  budget = AHEAD_BYTES,
): AsyncGenerator<Decoded<T>> {
  if (!(Number.isInteger(ahead) && ahead >= 1)) throw new OptionError(`decodeImages: ahead is a whole number of at least 1, got ${ahead}`);
  const start = (item: T): Promise<Decoded<T>> =>
    decodeImage(pathOf(item)).then((image) => ({ item, image }), (error: Error) => ({ item, error }));
  let largest = budget; // the first is decoded alone
  let next = 0;
  const waiting: Promise<Decoded<T>>[] = [];
  const fill = (): void => {
    const most = Math.min(ahead, Math.max(1, Math.floor(budget / largest)));
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
function problemOf(bytes: Uint8Array, error: Error, limit: number): string {
  const { message } = error;
  if (bytes.length === 0) return "the file is empty";
  if (error instanceof InputError) return message; // our own decoder's
  if (/unsupported image format/i.test(message)) return UNKNOWN_FORMAT;
  if (/pixel limit/i.test(message)) return `it has more than ${limit} pixels`;
  return "the image is cut off or damaged";
}
