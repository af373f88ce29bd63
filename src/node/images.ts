import type { default as Sharp, Sharp as SharpInstance, SharpOptions } from "sharp";
import { decodeBmp } from "../io/bmp.ts";
import { maskUnion, type DecodedImage } from "../io/image.ts";
import { DAMAGED, pictureHeader, type PictureHeader } from "../io/picture_header.ts";
import { requireMaskSamples, requireStatedRange } from "../io/tiff.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { Placement, Rectangle, Size } from "../io/placement.ts";
import { ByteBudget } from "./files/byte_budget.ts";
import { readBytes } from "./files/read.ts";

export const MAX_PIXELS = 268_402_689; // sharp's own limit, 16383 squared

// RGBA, and as much again for a decoder that holds the picture whole: interlaced, progressive or turned.
const DECODING_BYTES_PER_PIXEL = { shallow: 8, deep: 16 } as const;
const DECODING_BYTES = 512e6;

/** Bytes of the pictures that are being decoded, by all that decodes in this process. */
export const decoding = new ByteBudget(DECODING_BYTES);

/** Loads sharp, which takes as long as opening a GPU: with the first picture, when the GPU has something to do. */
export const loadSharp = async (): Promise<typeof Sharp> => {
  const { default: sharp } = await import("sharp");
  sharp.cache(false); // no picture is decoded twice
  return sharp;
};

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

async function readPixels(
  bytes: Uint8Array,
  { format, bits, cmyk, tiff }: PictureHeader,
  limit: number,
): Promise<DecodedImage> {
  if (format === "bmp") return decodeBmp(bytes, limit); // a format that sharp does not know
  if (tiff) requireStatedRange(tiff);
  const sharp = await loadSharp();
  const open = (options: SharpOptions = {}): SharpInstance =>
    sharp(bytes, { failOn: "error", limitInputPixels: limit, ...options }).rotate();
  if (tiff?.bits === 32) return ranged(await raw(open({ ignoreIcc: true }).toColourspace("b-w"), "float"), tiff.range!);
  if (cmyk && !(await open().metadata()).hasProfile) {
    return inksMultiplied(await raw(open().removeAlpha().pipelineColourspace("cmyk").toColourspace("cmyk"), "uchar"));
  }
  if (bits !== 16) return readRgba(open());
  const deep = await raw(open({ ignoreIcc: true }).removeAlpha().toColourspace("rgb16"), "ushort");
  const image = ranged(deep, tiff?.range ?? [0, 65_535]);
  if (tiff?.range) return image;
  let sampleHigh = 0;
  for (const sample of deep.samples) if (sample > sampleHigh) sampleHigh = sample;
  const { hasProfile, space } = await open().metadata();
  if (!hasProfile) return { ...image, sampleHigh };
  // sharp converts 16 bits to another space than sRGB, and grey not at all: its 8 bits are given the profile.
  const shallow = open()
    .keepIccProfile()
    .removeAlpha()
    .toColourspace(space === "grey16" ? "b-w" : "srgb");
  const file = await shallow.png({ compressionLevel: 0 }).toBuffer();
  return { ...(await readRgba(sharp(file, { limitInputPixels: limit }))), sampleHigh };
}

async function readRgba(picture: SharpInstance): Promise<DecodedImage> {
  const { width, height, samples } = await raw(picture.toColourspace("srgb").removeAlpha().ensureAlpha(1), "uchar");
  return { width, height, data: samples as Uint8Array };
}

interface Samples extends Size {
  readonly samples: Uint8Array | Uint16Array | Float32Array;
  readonly channels: number;
}

/** A picture's samples, as they come from the decoder. */
async function raw(picture: SharpInstance, depth: "uchar" | "ushort" | "float"): Promise<Samples> {
  const { data, info } = await picture.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const Kind = { uchar: Uint8Array, ushort: Uint16Array, float: Float32Array }[depth];
  // copied only where that cannot be helped
  const aligned = data.byteOffset % Kind.BYTES_PER_ELEMENT === 0 ? data : new Uint8Array(data);
  return {
    width,
    height,
    channels,
    samples: new Kind(aligned.buffer, aligned.byteOffset, data.length / Kind.BYTES_PER_ELEMENT),
  };
}

/**
 * Samples of a stated range in 8 bits. Integers fall into 256 equal steps, so that of 16 bits the upper 8 are kept;
 * numbers are rounded.
 * @throws InputError if a sample lies outside
 */
function ranged(
  { samples, width, height, channels }: Samples,
  [low, high]: readonly [low: number, high: number],
): DecodedImage {
  const data = new Uint8Array(4 * width * height).fill(255);
  const isWhole = samples instanceof Uint16Array;
  const scale = isWhole ? 256 / (high - low + 1) : 255 / (high - low);
  const half = isWhole ? 0 : 0.5;
  const colours = channels >= 3 ? 3 : 1;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      const sample = samples[channels * i + (colours === 3 ? c : 0)]!;
      if (!(sample >= low && sample <= high)) {
        throw new InputError(
          `its tags state a range of ${low} to ${high}, and it holds ${sample}; write it with the range that it has`,
        );
      }
      data[4 * i + c] = (sample - low) * scale + half;
    }
  }
  return { width, height, data };
}

/** CMYK as RGB where no profile says which inks they are: each colour lets through what its ink and the black leave. */
function inksMultiplied({ samples, width, height, channels }: Samples): DecodedImage {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) {
    const black = 255 - samples[channels * i + 3]!;
    for (let c = 0; c < 3; c++) data[4 * i + c] = Math.round(((255 - samples[channels * i + c]!) * black) / 255);
  }
  return { width, height, data };
}

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
  return decoded(bytes, name, limit, async (header) => {
    const { format, cmyk, tiff } = header;
    if (format === "bmp" || cmyk) {
      const { data, ...size } = await readPixels(bytes, header, limit);
      return marked({ ...size, channels: 4, samples: data });
    }
    if (tiff) requireMaskSamples(tiff);
    const sharp = await loadSharp();
    const picture = sharp(bytes, { failOn: "error", limitInputPixels: limit, ignoreIcc: true }).rotate().removeAlpha();
    // 8 bits become 16, rather than 16 bits 8: a class of a small number would be lost. sharp keeps other types as they
    // are in grey alone.
    const isOther = tiff !== null && (tiff.bits === 32 || tiff.kind !== "unsigned");
    return marked(
      isOther ? await raw(picture.toColourspace("b-w"), "float") : await raw(picture.toColourspace("rgb16"), "ushort"),
    );
  });
}

/** White where red, green or blue is not 0. */
function marked({ samples, channels, width, height }: Samples): DecodedImage {
  const data = new Uint8Array(4 * width * height).fill(255);
  const colours = Math.min(channels, 3);
  for (let i = 0; i < width * height; i++) {
    let any = false;
    for (let c = 0; c < colours; c++) any ||= samples[channels * i + c] !== 0;
    if (!any) data.fill(0, 4 * i, 4 * i + 3);
  }
  return { width, height, data };
}

/**
 * All masks of an image together, as they are placed in an image of `width` x `height` (`maskUnion`); one is in memory
 * at a time.
 * @throws InputError as `decodeImage`
 */
export async function decodeMasks(
  paths: readonly string[],
  width: number,
  height: number,
  placementOf?: (mask: DecodedImage) => Placement | undefined,
): Promise<Uint8Array | null> {
  if (paths.length === 0) return null;
  const union = new Uint8Array(width * height);
  for (const path of paths)
    maskUnion([await decodeMask(path)], width, height, placementOf)!.forEach((value, i) => (union[i]! |= value));
  return union;
}

/** The outcome of decoding a photograph. */
export type Decoded<T> =
  { readonly item: T; readonly image: DecodedImage } | { readonly item: T; readonly error: Error };

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
export async function* decodeImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  { ahead = 4, budget = AHEAD_BYTES }: DecodeAheadOptions = {},
): AsyncGenerator<Decoded<T>> {
  if (!(Number.isInteger(ahead) && ahead >= 1))
    throw new OptionError(`decodeImages: ahead is a whole number of at least 1, got ${ahead}`);
  const room = new ByteBudget(budget);
  // room is asked for in order: one that comes later would keep the one that is waited for out
  let order: Promise<unknown> = Promise.resolve();
  const start = (item: T): Promise<{ readonly outcome: Decoded<T>; readonly release: () => void }> => {
    const path = pathOf(item);
    const read = readBytes(path);
    read.catch(() => undefined); // awaited below
    const admitted = order.then(async () => room.take(RGBA_BYTES * (await read.then(claimedPixels, () => 0))));
    order = admitted;
    return admitted.then(async (release) => {
      const image = read.then((bytes) => decodeImageBytes(bytes, path));
      const outcome = await image.then(
        (image) => ({ item, image }),
        (error: Error) => ({ item, error }),
      );
      return { outcome, release };
    });
  };
  let next = 0;
  const waiting: ReturnType<typeof start>[] = [];
  const fill = (): void => {
    while (next < items.length && waiting.length < ahead) waiting.push(start(items[next++]!));
  };
  for (fill(); waiting.length > 0;) {
    const { outcome, release } = await waiting.shift()!;
    fill();
    yield outcome;
    release();
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
  const sharp = await loadSharp();
  if (bytes.length !== width * height)
    return sharp(bytes, { raw: { width, height, channels: 4 } })
      .png()
      .toBuffer();
  return sharp(bytes, { raw: { width, height, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
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
