import type { default as Sharp, Sharp as SharpInstance, SharpOptions } from "sharp";
import type { DecodedImage } from "../io/image.ts";
import type { PictureHeader } from "../io/picture_header.ts";
import type { Size } from "../io/placement.ts";
import { requireMaskSamples, requireStatedRange } from "../io/tiff.ts";
import { InputError } from "../runtime/errors.ts";

/** Loads sharp, which takes as long as opening a GPU: with the first picture, when the GPU has something to do. */
export const loadSharp = async (): Promise<typeof Sharp> => {
  const { default: sharp } = await import("sharp");
  sharp.cache(false); // no picture is decoded twice
  return sharp;
};

const KINDS = { uchar: Uint8Array, ushort: Uint16Array, float: Float32Array } as const;

/** Samples of a picture or of a part of it, as sharp gives them. */
export interface Samples extends Size {
  readonly samples: Uint8Array | Uint16Array | Float32Array;
  readonly channels: number;
}

/** The way in which a file becomes a picture: samples of a kind, and their conversion, which may be done in parts. */
export interface Reading {
  readonly picture: SharpInstance;
  readonly depth: keyof typeof KINDS;
  readonly convert: (samples: Samples) => DecodedImage;
  /** True if the largest sample is worth knowing. */
  readonly isDeep: boolean;
}

/** Samples of a kind in bytes, which are copied only where that cannot be helped. */
export function samplesIn(bytes: Uint8Array<ArrayBuffer>, depth: Reading["depth"]): Samples["samples"] {
  const Kind = KINDS[depth];
  const aligned = bytes.byteOffset % Kind.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Kind(aligned.buffer, aligned.byteOffset, bytes.length / Kind.BYTES_PER_ELEMENT);
}

/** Bytes of a sample. */
export const bytesOfSample = (depth: Reading["depth"]): number => KINDS[depth].BYTES_PER_ELEMENT;

/** All of a picture's samples. */
export async function readSamples({ picture, depth }: Pick<Reading, "picture" | "depth">): Promise<Samples> {
  const { data, info } = await picture.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { width, height, channels, samples: samplesIn(data, depth) };
}

/**
 * The way to read a photograph.
 * @param limit the most pixels that it may have
 * @param inParts true if its rows are to be read one after another, rather than all at once
 */
export async function readingOf(
  bytes: Uint8Array,
  { bits, cmyk, tiff }: PictureHeader,
  limit: number,
  inParts = false,
): Promise<Reading> {
  if (tiff) requireStatedRange(tiff);
  const sharp = await loadSharp();
  const open = (options: SharpOptions = {}): SharpInstance =>
    sharp(bytes, { failOn: "error", limitInputPixels: limit, sequentialRead: inParts, ...options }).rotate();
  if (tiff?.bits === 32) {
    const picture = open({ ignoreIcc: true }).toColourspace("b-w");
    return { picture, depth: "float", convert: (samples) => ranged(samples, tiff.range!), isDeep: false };
  }
  if (cmyk && !(await profileOf(bytes, limit)).hasProfile) {
    const picture = open().removeAlpha().pipelineColourspace("cmyk").toColourspace("cmyk");
    return { picture, depth: "uchar", convert: inksMultiplied, isDeep: false };
  }
  if (bits !== 16) return rgba(open());
  const picture = open({ ignoreIcc: true }).removeAlpha().toColourspace("rgb16");
  const range = tiff?.range ?? ([0, 65_535] as const);
  return { picture, depth: "ushort", convert: (samples) => ranged(samples, range), isDeep: !tiff?.range };
}

/** The colours of a picture, and whether a profile says which. */
export async function profileOf(
  bytes: Uint8Array,
  limit: number,
): Promise<{ readonly hasProfile: boolean; readonly space: string }> {
  const sharp = await loadSharp();
  return sharp(bytes, { failOn: "error", limitInputPixels: limit }).metadata();
}

/**
 * The way to read a photograph of 16 bits whose colours have a profile. sharp converts 16 bits to another space than
 * sRGB, and grey not at all: its 8 bits are given the profile. Null for one without a profile.
 */
export async function profiledReading(bytes: Uint8Array, limit: number): Promise<Reading | null> {
  const sharp = await loadSharp();
  const { hasProfile, space } = await profileOf(bytes, limit);
  if (!hasProfile) return null;
  const shallow = sharp(bytes, { failOn: "error", limitInputPixels: limit })
    .rotate()
    .keepIccProfile()
    .removeAlpha()
    .toColourspace(space === "grey16" ? "b-w" : "srgb");
  const file = await shallow.png({ compressionLevel: 0 }).toBuffer();
  return rgba(sharp(file, { limitInputPixels: limit }));
}

/**
 * The way to read a mask of anything but a BMP or inks: white where a sample is not 0.
 * @throws InputError for samples that no mask has
 */
export async function maskReadingOf(
  bytes: Uint8Array,
  { tiff }: PictureHeader,
  limit: number,
  inParts = false,
): Promise<Reading> {
  if (tiff) requireMaskSamples(tiff);
  const sharp = await loadSharp();
  const options = { failOn: "error", limitInputPixels: limit, sequentialRead: inParts, ignoreIcc: true } as const;
  const picture = sharp(bytes, options).rotate().removeAlpha();
  // 8 bits become 16, rather than 16 bits 8: a class of a small number would be lost. sharp keeps other types as they
  // are in grey alone.
  const isOther = tiff !== null && (tiff.bits === 32 || tiff.kind !== "unsigned");
  return isOther
    ? { picture: picture.toColourspace("b-w"), depth: "float", convert: marked, isDeep: false }
    : { picture: picture.toColourspace("rgb16"), depth: "ushort", convert: marked, isDeep: false };
}

const rgba = (picture: SharpInstance): Reading => ({
  picture: picture.toColourspace("srgb").removeAlpha().ensureAlpha(1),
  depth: "uchar",
  convert: ({ width, height, samples }) => ({ width, height, data: samples as Uint8Array }),
  isDeep: false,
});

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

/** White where red, green or blue is not 0. */
export function marked({ samples, channels, width, height }: Samples): DecodedImage {
  const data = new Uint8Array(4 * width * height).fill(255);
  const colours = Math.min(channels, 3);
  for (let i = 0; i < width * height; i++) {
    let any = false;
    for (let c = 0; c < colours; c++) any ||= samples[channels * i + c] !== 0;
    if (!any) data.fill(0, 4 * i, 4 * i + 3);
  }
  return { width, height, data };
}

/** The largest of some samples. */
export function largestSample({ samples }: Samples): number {
  let largest = 0;
  for (const sample of samples) if (sample > largest) largest = sample;
  return largest;
}
