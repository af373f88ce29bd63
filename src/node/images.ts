import { decodeBmp } from "../io/bmp.ts";
import { bandsOf, closePicture, markRows, type DecodedImage, type Picture } from "../io/image.ts";
import { DAMAGED, pictureHeader, type PictureHeader } from "../io/picture_header.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import { placementOf, type Placement, type Rectangle, type Size } from "../io/placement.ts";
import { ByteBudget } from "./files/byte_budget.ts";
import { readBytes } from "./files/read.ts";
import { PictureFile } from "./picture_file.ts";
import { pngParts } from "./png.ts";
import {
  largestSample,
  loadSharp,
  marked,
  maskReadingOf,
  profiledReading,
  profileOf,
  readingOf,
  readSamples,
} from "./samples.ts";

export const MAX_PIXELS = 268_402_689; // sharp's own limit, 16383 squared

// RGBA, and as much again for a decoder that holds the picture whole: interlaced, progressive or turned.
const DECODING_BYTES_PER_PIXEL = { shallow: 8, deep: 16 } as const;
const DECODING_BYTES = 512e6;

/** Bytes of the pictures that are being decoded, by all that decodes in this process. */
export const decoding = new ByteBudget(DECODING_BYTES);

/**
 * Decodes a photograph: png, jpg, tiff, webp, gif, avif and bmp, told apart by their first bytes; its EXIF orientation
 * applied, the upper 8 of 16 bits kept, grey and palette turned to RGB, colours converted to sRGB by its colour profile
 * if it has one, CMYK without a profile as its inks multiplied, transparency ignored, the first picture of several. A
 * TIFF's samples are read on the range that its type or its tags state, never on that of its values.
 *
 * @param options `maxPixels`: the most that it may have
 * @throws InputError with the file's name if it cannot be read, is no whole image, or states no range of its samples
 */
export async function decodeImage(path: string, options: DecodeOptions = {}): Promise<DecodedImage> {
  return decodeImageBytes(await readBytes(path), path, options);
}

/** Options of decoding a photograph. */
export interface DecodeOptions {
  /** The most pixels that it may have: larger ones are refused before they are decoded. Default: sharp's limit. */
  readonly maxPixels?: number;
}

/**
 * Decodes a photograph as `decodeImage` does.
 * @param name the file's, for errors
 */
export async function decodeImageBytes(
  bytes: Uint8Array,
  name: string,
  { maxPixels = MAX_PIXELS }: DecodeOptions = {},
): Promise<DecodedImage> {
  return decoded(bytes, name, maxPixels, (header) => readPixels(bytes, header, maxPixels));
}

/** Decodes when there is room for it, and says what is wrong with the file of that name. */
async function decoded<T>(
  bytes: Uint8Array,
  name: string,
  limit: number,
  decode: (header: PictureHeader) => Promise<T>,
): Promise<T> {
  try {
    const header = pictureHeader(bytes, limit);
    const release = await decoding.take(
      DECODING_BYTES_PER_PIXEL[header.bits > 8 ? "deep" : "shallow"] * header.width * header.height,
    );
    try {
      return await decode(header);
    } finally {
      release();
    }
  } catch (error) {
    throw new InputError(`cannot read ${name}: ${problemOf(error as Error, limit)}`, { cause: error });
  }
}

async function readPixels(bytes: Uint8Array, header: PictureHeader, limit: number): Promise<DecodedImage> {
  if (header.format === "bmp") return decodeBmp(bytes, limit); // a format that sharp does not know
  const reading = await readingOf(bytes, header, limit);
  const samples = await readSamples(reading);
  if (!reading.isDeep) return reading.convert(samples);
  const sampleHigh = largestSample(samples);
  const profiled = await profiledReading(bytes, limit);
  const image = profiled ? profiled.convert(await readSamples(profiled)) : reading.convert(samples);
  return { ...image, sampleHigh };
}

/** Pixels of a picture beyond which it is not decoded in memory, where parts of it are enough. */
const LARGE = 2 ** 24;

/** Options of opening a photograph. */
export interface OpenPictureOptions extends DecodeOptions {
  /** Pixels beyond which it is decoded into a file. Default: 16.8 million. */
  readonly large?: number;
}

/**
 * Decodes a photograph as `decodeImage` does; a large one into a temporary file of which parts are read, so that memory
 * does not depend on its size. A BMP, and 16 bits with a colour profile, are decoded in memory whatever their size.
 * @param name the file's, for errors
 * @returns the caller's to close
 */
export async function openPictureBytes(
  bytes: Uint8Array,
  name: string,
  { maxPixels = MAX_PIXELS, large = LARGE }: OpenPictureOptions = {},
): Promise<Picture> {
  return decoded<Picture>(bytes, name, maxPixels, async (header) => {
    const isSmall = header.width * header.height <= large || header.format === "bmp";
    const reading = isSmall ? null : await readingOf(bytes, header, maxPixels, true);
    if (!reading || (reading.isDeep && (await profileOf(bytes, maxPixels)).hasProfile))
      return readPixels(bytes, header, maxPixels);
    return PictureFile.decode(reading);
  });
}

/** Opens a photograph as `openPictureBytes` does. */
export const openPicture = async (path: string, options: OpenPictureOptions = {}): Promise<Picture> =>
  openPictureBytes(await readBytes(path), path, options);

/**
 * Decodes a ground-truth mask as black and white: a pixel is white where the file says anything but 0, be it 1 of
 * 65535.
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
  return decoded(bytes, name, limit, (header) => readMask(bytes, header, limit));
}

async function readMask(bytes: Uint8Array, header: PictureHeader, limit: number): Promise<DecodedImage> {
  if (header.format === "bmp" || header.cmyk) {
    const { data, ...size } = await readPixels(bytes, header, limit);
    return marked({ ...size, channels: 4, samples: data });
  }
  const reading = await maskReadingOf(bytes, header, limit);
  return reading.convert(await readSamples(reading));
}

/** Decodes a mask; a large one into a temporary file. The caller closes it. */
async function openMask(path: string, large: number): Promise<Picture> {
  const bytes = await readBytes(path);
  return decoded<Picture>(bytes, path, MAX_PIXELS, async (header) =>
    header.width * header.height <= large || header.format === "bmp" || header.cmyk
      ? readMask(bytes, header, MAX_PIXELS)
      : PictureFile.decode(await maskReadingOf(bytes, header, MAX_PIXELS, true)),
  );
}

/**
 * All masks of an image together, as they are placed in an image of `width` x `height` (`maskUnion`); one is in memory
 * at a time, and of a large one some rows.
 * @param large pixels beyond which a mask is large
 * @throws InputError as `decodeImage`
 */
export async function decodeMasks(
  paths: readonly string[],
  width: number,
  height: number,
  placed: (mask: Size) => Placement = (mask) => placementOf("stretch", mask, { width, height }),
  large = LARGE,
): Promise<Uint8Array | null> {
  if (paths.length === 0) return null;
  const union = new Uint8Array(width * height);
  for (const path of paths) {
    const mask = await openMask(path, large);
    try {
      for await (const { top, image } of bandsOf(mask)) markRows(union, width, image, top, placed(mask));
    } finally {
      await closePicture(mask);
    }
  }
  return union;
}

/** The outcome of decoding a photograph. */
export type Decoded<T, P extends Picture = DecodedImage> =
  { readonly item: T; readonly image: P } | { readonly item: T; readonly error: Error };

const AHEAD_BYTES = 256e6;

/** Options of decoding one photograph after another. */
export interface DecodeAheadOptions {
  /** Photographs that may be in memory at a time besides the one that is out, 1 at least. Default 4. */
  readonly ahead?: number;
  /** Bytes that all of these may take together, by their headers; a larger one is decoded alone. Default 256e6. */
  readonly budget?: number;
}

/**
 * Decodes one photograph after another, some ahead of the one asked for, and hands them out in order.
 * @throws OptionError if `ahead` is no such number; what is wrong with an image is handed out in its place
 */
export const decodeImages = <T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  options: DecodeAheadOptions = {},
): AsyncGenerator<Decoded<T>> => readAhead(items, pathOf, decodeImageBytes, options);

/**
 * Opens one photograph after another as `decodeImages` decodes them; a large one gives parts of itself. Each is closed
 * when the next is asked for.
 */
export const openPictures = <T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  { large, ...ahead }: DecodeAheadOptions & Pick<OpenPictureOptions, "large"> = {},
): AsyncGenerator<Decoded<T, Picture>> =>
  readAhead(items, pathOf, (bytes, name) => openPictureBytes(bytes, name, large === undefined ? {} : { large }), ahead);

async function* readAhead<T, P extends Picture>(
  items: readonly T[],
  pathOf: (item: T) => string,
  decode: (bytes: Uint8Array, name: string) => Promise<P>,
  { ahead = 4, budget = AHEAD_BYTES }: DecodeAheadOptions,
): AsyncGenerator<Decoded<T, P>> {
  if (!(Number.isInteger(ahead) && ahead >= 1))
    throw new OptionError(`decodeImages: ahead is a whole number of at least 1, got ${ahead}`);
  const room = new ByteBudget(budget);
  // room is asked for in order: one that comes later would keep the one that is waited for out
  let order: Promise<unknown> = Promise.resolve();
  const start = (item: T): Promise<{ readonly outcome: Decoded<T, P>; readonly release: () => Promise<void> }> => {
    const path = pathOf(item);
    const read = readBytes(path);
    read.catch(() => undefined); // awaited below
    const admitted = order.then(async () => room.take(RGBA_BYTES * (await read.then(claimedPixels, () => 0))));
    order = admitted;
    return admitted.then(async (leave) => {
      const image = read.then((bytes) => {
        if (isOver) throw new InputError(`${path} is not wanted any more`);
        return decode(bytes, path);
      });
      const outcome = await image.then(
        (image) => ({ item, image }),
        (error: Error) => ({ item, error }),
      );
      const release = async (): Promise<void> => {
        if ("image" in outcome) await closePicture(outcome.image);
        leave();
      };
      return { outcome, release };
    });
  };
  let next = 0;
  let isOver = false;
  const waiting: ReturnType<typeof start>[] = [];
  const fill = (): void => {
    while (next < items.length && waiting.length < ahead) waiting.push(start(items[next++]!));
  };
  try {
    for (fill(); waiting.length > 0;) {
      const { outcome, release } = await waiting.shift()!;
      fill();
      try {
        yield outcome;
      } finally {
        await release();
      }
    }
  } finally {
    isOver = true;
    for (const begun of waiting) void begun.then(({ release }) => release());
  }
}

/** Bytes of a decoded pixel. */
export const RGBA_BYTES = 4;

/** Pixels that a picture claims to have; none if it is not to be decoded. */
export function claimedPixels(bytes: Uint8Array): number {
  try {
    const { width, height } = pictureHeader(bytes, MAX_PIXELS);
    return width * height;
  } catch {
    return 0; // what is wrong is said when it is decoded
  }
}

/** A PNG of bytes in row-major order: RGBA, or grey where there is one for each pixel. */
export async function encodePng(bytes: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const channels = bytes.length === width * height ? 1 : 4;
  for await (const part of pngParts({ width, height }, channels, [bytes])) parts.push(part);
  return Buffer.concat(parts);
}

/**
 * A JPEG of a photograph, or of a part of it, resized to `toWidth` x `toHeight` pixels whatever its aspect ratio, its
 * alpha ignored.
 */
export async function encodeJpeg(
  { data, width, height }: DecodedImage,
  toWidth: number,
  toHeight: number,
  part: Rectangle = { left: 0, top: 0, width, height },
): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const opaque = sharp(data, { raw: { width, height, channels: 4 } })
    .extract(part)
    .removeAlpha();
  return opaque.resize(toWidth, toHeight, { fit: "fill" }).jpeg({ quality: 85 }).toBuffer();
}

/**
 * Describes for a user what is wrong with an image. libvips' messages name its own functions, and are now and then lost
 * between two images that are decoded at a time: what is not recognised below is said in one way.
 */
function problemOf(error: Error, limit: number): string {
  const { message } = error;
  if (error instanceof InputError) return message; // of a decoder of our own
  if (/pixel limit/i.test(message)) return `it has more than ${limit} pixels`;
  return DAMAGED;
}
