import { InputError } from "../runtime/errors.ts";
import { LEAST_SIDE, placementOf, type Placement, type Size } from "./placement.ts";

/** A decoded photograph: 8-bit RGBA in sRGB, row-major, 4 * width * height bytes. */
export interface DecodedImage extends Size {
  readonly data: Uint8Array;
  /**
   * The largest sample of a 16-bit file before conversion to 8 bits; absent for other depths, and if the file states
   * its own range.
   */
  readonly sampleHigh?: number;
}

/**
 * Rejects pictures that are too small to inspect.
 * @throws InputError with the picture's name and size
 */
export function requireUsable({ width, height }: DecodedImage, name: string): void {
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
  { source, target }: Placement = placementOf("stretch", image, { width, height }),
): Uint8Array {
  const mask = new Uint8Array(width * height);
  for (let y = 0; y < target.height; y++) {
    const row = source.top + Math.floor(((y + 0.5) * source.height) / target.height);
    for (let x = 0; x < target.width; x++) {
      const at = 4 * (row * image.width + source.left + Math.floor(((x + 0.5) * source.width) / target.width));
      mask[(target.top + y) * width + target.left + x] =
        image.data[at]! | image.data[at + 1]! | image.data[at + 2]! ? 1 : 0;
    }
  }
  return mask;
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
    bytes += "image" in one ? (one.image as DecodedImage).data.length : 0;
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
