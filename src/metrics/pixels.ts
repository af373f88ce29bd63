import { InputError } from "../runtime/errors.ts";
import { radixSort } from "./radix_sort.ts";
import { rankSorted, type Ranking } from "./ranking.ts";
import { connectedRegions } from "./regions.ts";

/** One image's anomaly map and its ground truth, both row-major, width * height. */
export interface ScoredMap {
  readonly map: Float32Array;
  /** Nonzero is defective; null if no pixel is. */
  readonly mask: Uint8Array | null;
  /** Nonzero pixels count in pixel metrics; null or undefined if all do. Defects must lie within. */
  readonly counted?: Uint8Array | null;
  readonly width: number;
  readonly height: number;
}

/** The ranking of pixels, with the region overlaps that AUPRO needs. */
export interface PixelRanking extends Ranking {
  /**
   * For each threshold: the mean, over all 8-connected regions of all masks, of the share of the region at or above it.
   */
  readonly overlaps: Float64Array;
}

/**
 * Ranks the pixels of all images together. Exact: every distinct value is a threshold. Takes up to 24 bytes per pixel
 * besides the images; `PixelHistogram` takes bounded memory for any number.
 *
 * @throws InputError if a map, a mask or `counted` is not width * height long, a map holds a number that is not finite,
 *   or a defect lies outside `counted`
 */
export function rankPixels(images: readonly ScoredMap[]): PixelRanking {
  let pixels = 0;
  let positives = 0;
  for (const [index, image] of images.entries()) {
    requireValid(image, `image ${index}`);
    pixels += pixelsOf(image);
    if (image.mask) for (const marked of image.mask) if (marked !== 0) positives++;
  }
  const positive = new Float32Array(positives);
  const negative = new Float32Array(pixels - positives);
  const regions = new Uint32Array(positives);
  const areas: number[] = [];
  let [p, n] = [0, 0];
  for (const { map, mask, counted, width, height } of images) {
    const found = mask && connectedRegions(mask, width, height);
    for (let i = 0; i < map.length; i++) {
      if (found && found.labels[i] !== 0) {
        regions[p] = areas.length + found.labels[i]! - 1;
        positive[p++] = map[i]!;
      } else if (counted?.[i] !== 0) {
        negative[n++] = map[i]!;
      }
    }
    if (found) for (const area of found.areas) areas.push(area);
  }
  radixSort(positive, regions);
  radixSort(negative);
  const ranking = rankSorted(positive, negative);
  const { thresholds } = ranking;
  const overlaps = new Float64Array(thresholds.length);
  let overlap = 0;
  for (let i = 0; i < thresholds.length; i++) {
    for (; p > 0 && positive[p - 1] === thresholds[i]; p--) overlap += 1 / areas[regions[p - 1]!]!;
    overlaps[i] = p === 0 ? 1 : overlap / areas.length; // all regions complete: exactly 1, despite rounding of the sum
  }
  return { ...ranking, overlaps };
}

/** Number of an image's pixels that count in pixel metrics. */
export const pixelsOf = ({ map, counted }: ScoredMap): number =>
  counted ? counted.reduce((sum, part) => sum + (part === 0 ? 0 : 1), 0) : map.length;

/**
 * Checks that an image's parts match and its map can be ranked.
 * @param name the image's name in errors
 * @throws InputError as `rankPixels`
 */
export function requireValid({ map, mask, counted, width, height }: ScoredMap, name: string): void {
  for (const [what, values] of [
    ["map", map],
    ["mask", mask ?? map],
    ["counted", counted ?? map],
  ] as const) {
    if (values.length === width * height) continue;
    throw new InputError(`${name}: expected ${width} x ${height} ${what} values, got ${values.length}`);
  }
  for (let i = 0; i < map.length; i++) {
    if (!Number.isFinite(map[i]!))
      throw new InputError(`${name}: the anomaly map holds ${map[i]} at pixel ${i}; it must be finite`);
    if (mask && counted && mask[i] !== 0 && counted[i] === 0)
      throw new InputError(`${name}: pixel ${i} is marked as defective but excluded by counted`);
  }
}
