import { InputError } from "../runtime/errors.ts";
import { radixSort } from "./radix_sort.ts";
import { rankSorted, type Ranking } from "./ranking.ts";
import { connectedRegions } from "./regions.ts";

/** One image's anomaly map and its ground truth, both row-major, width * height. */
export interface ScoredMap {
  readonly map: Float32Array;
  /** Anything but 0 is defective; null where no pixel is. */
  readonly mask: Uint8Array | null;
  readonly width: number;
  readonly height: number;
}

/** The ranking of pixels, and what AUPRO needs besides. */
export interface PixelRanking extends Ranking {
  /** After each threshold: the mean, over all 8-connected regions of all masks, of the share of the region at or above it. */
  readonly overlaps: Float64Array;
}

/**
 * Ranks the pixels of all images together. Exact: every distinct value is a threshold. Takes up to 24 bytes a pixel
 * besides the images; `PixelHistogram` takes a bounded amount for any number.
 *
 * @throws InputError if a map or mask is not width * height long, or a map holds a number that is not finite
 */
export function rankPixels(images: readonly ScoredMap[]): PixelRanking {
  let pixels = 0;
  let positives = 0;
  for (const [index, image] of images.entries()) {
    requireValid(image, `image ${index}`);
    pixels += image.map.length;
    if (image.mask) for (const marked of image.mask) if (marked !== 0) positives++;
  }
  const positive = new Float32Array(positives);
  const negative = new Float32Array(pixels - positives);
  const regions = new Uint32Array(positives);
  const areas: number[] = [];
  let [p, n] = [0, 0];
  for (const { map, mask, width, height } of images) {
    const found = mask && connectedRegions(mask, width, height);
    for (let i = 0; i < map.length; i++) {
      if (found && found.labels[i] !== 0) {
        regions[p] = areas.length + found.labels[i]! - 1;
        positive[p++] = map[i]!;
      } else {
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
    overlaps[i] = p === 0 ? 1 : overlap / areas.length; // all regions whole: 1, whatever the sum was rounded to
  }
  return { ...ranking, overlaps };
}

/**
 * Requires that an image's parts fit each other and its map can be ranked.
 * @param name what errors call the image
 * @throws InputError as `rankPixels`
 */
export function requireValid({ map, mask, width, height }: ScoredMap, name: string): void {
  for (const [what, values] of [["map", map], ["mask", mask ?? map]] as const) {
    if (values.length === width * height) continue;
    throw new InputError(`${name}: ${values.length} ${what} values do not make ${width} x ${height} pixels`);
  }
  for (let i = 0; i < map.length; i++) {
    if (!Number.isFinite(map[i]!)) throw new InputError(`${name}: the anomaly map holds ${map[i]} at pixel ${i}; it must be finite`);
  }
}
