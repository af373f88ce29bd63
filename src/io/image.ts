import { InputError } from "../runtime/errors.ts";
import { LEAST_SIDE, placementOf, type Placement, type Rectangle, type Size } from "./placement.ts";

/** A decoded photograph: 8-bit RGBA in sRGB, row-major, 4 * width * height bytes. */
export interface DecodedImage extends Size {
  readonly data: Uint8Array;
  /**
   * The largest sample of a 16-bit file before conversion to 8 bits; absent for other depths, and if the file states
   * its own range.
   */
  readonly sampleHigh?: number;
}

/** A photograph that gives parts of itself, so that a large one need not be in memory as a whole. */
export interface PictureParts extends Size {
  /** Reads a part that lies within it. */
  readonly read: (part: Rectangle) => Promise<DecodedImage>;
  /** As a decoded image has it. */
  readonly sampleHigh?: number;
  /** Gives back what it holds; nothing can be read afterwards. */
  readonly close: () => Promise<void>;
}

/** A photograph: decoded, or one that gives parts of itself. */
export type Picture = DecodedImage | PictureParts;

/** Reads a part of a photograph that lies within it. All of a decoded one is that image itself. */
export async function readPart(picture: Picture, part: Rectangle): Promise<DecodedImage> {
  if (!("data" in picture)) return picture.read(part);
  const { left, top, width, height } = part;
  if (width === picture.width && height === picture.height) return picture;
  const data = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 4 * ((top + y) * picture.width + left);
    data.set(picture.data.subarray(from, from + 4 * width), 4 * y * width);
  }
  return { width, height, data };
}

/** Reads all of a photograph. */
export const readWhole = (picture: Picture): Promise<DecodedImage> =>
  readPart(picture, { left: 0, top: 0, width: picture.width, height: picture.height });

const BAND_PIXELS = 2 ** 20;

/** All columns of some rows of a photograph. */
export interface Band {
  /** The first of the rows. */
  readonly top: number;
  readonly image: DecodedImage;
}

/** Reads a photograph from top to bottom, some rows at a time. */
export async function* bandsOf(picture: Picture): AsyncGenerator<Band> {
  const { width, height } = picture;
  const rows = Math.max(1, Math.floor(BAND_PIXELS / width));
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    if ("data" in picture) {
      const data = picture.data.subarray(4 * width * top, 4 * width * (top + count));
      yield { top, image: { width, height: count, data } };
    } else yield { top, image: await picture.read({ left: 0, top, width, height: count }) };
  }
}

/** Closes a photograph that gives parts of itself. */
export async function closePicture(picture: Picture): Promise<void> {
  if ("close" in picture) await picture.close();
}

/**
 * Rejects pictures that are too small to inspect.
 * @throws InputError with the picture's name and size
 */
export function requireUsable({ width, height }: Size, name: string): void {
  if (!(width >= LEAST_SIDE && height >= LEAST_SIDE)) {
    throw new InputError(`${name} is ${width}x${height} pixels; at least ${LEAST_SIDE}x${LEAST_SIDE} are needed`);
  }
}

/**
 * A ground-truth mask, placed in an image of `width` x `height` like its picture: nearest pixel (as Pillow's NEAREST),
 * 1 where red, green or blue is not 0, and 0 outside the picture.
 * @returns row-major, width * height
 */
export function maskFrom(
  image: DecodedImage,
  width: number,
  height: number,
  placement: Placement = placementOf("stretch", image, { width, height }),
): Uint8Array {
  const mask = new Uint8Array(width * height);
  markRows(mask, width, image, 0, placement);
  return mask;
}

/**
 * Marks in a mask what some rows of a ground-truth mask mark, as `maskFrom` does with all of them.
 * @param width of the mask
 * @param band all columns of the rows
 * @param top the first of them
 */
export function markRows(
  mask: Uint8Array,
  width: number,
  band: DecodedImage,
  top: number,
  { source, target }: Placement,
): void {
  for (let y = 0; y < target.height; y++) {
    const row = source.top + Math.floor(((y + 0.5) * source.height) / target.height) - top;
    if (row < 0 || row >= band.height) continue;
    for (let x = 0; x < target.width; x++) {
      const at = 4 * (row * band.width + source.left + Math.floor(((x + 0.5) * source.width) / target.width));
      if (band.data[at]! | band.data[at + 1]! | band.data[at + 2]!)
        mask[(target.top + y) * width + target.left + x] = 1;
    }
  }
}

/**
 * The union of all masks of an image, each placed as by `maskFrom`.
 * @param placementOf placement of a mask of a given size; stretched over the whole image by default
 * @returns row-major, width * height, 1 where any mask is nonzero; null if there are no masks
 */
export function maskUnion(
  masks: readonly DecodedImage[],
  width: number,
  height: number,
  placementOf: (mask: DecodedImage) => Placement | undefined = () => undefined,
): Uint8Array | null {
  if (masks.length === 0) return null;
  const union = new Uint8Array(width * height);
  for (const picture of masks) {
    const mask = maskFrom(picture, width, height, placementOf(picture));
    for (let i = 0; i < union.length; i++) union[i]! |= mask[i]!;
  }
  return union;
}

const BATCH_BYTES = 32e6;

const bytesOf = ({ width, height }: Size): number => 4 * width * height;

/**
 * Groups of so many images, fewer if they are large: how large is not known before they are decoded.
 * @param images each an object with an `image`, or without where there is none
 */
export async function* batchesOf<T extends object>(
  images: AsyncIterable<T>,
  most: number,
): AsyncGenerator<readonly T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for await (const one of images) {
    batch.push(one);
    bytes += "image" in one ? bytesOf(one.image as Size) : 0;
    if (batch.length < most && bytes < BATCH_BYTES) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** True if all pixels of an image have the same red, green and blue. */
export function isEvenColour({ data }: DecodedImage): boolean {
  const [red, green, blue] = data;
  for (let i = 4; i < data.length; i += 4)
    if (data[i] !== red || data[i + 1] !== green || data[i + 2] !== blue) return false;
  return true;
}
