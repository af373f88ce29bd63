import { OptionError } from "../runtime/errors.ts";
import { thinned, type Curve } from "./curve.ts";
import { rankPixels, type ScoredMap } from "./pixels.ts";
import { radixSort } from "./radix_sort.ts";
import type { Ranking } from "./ranking.ts";
import { connectedRegions } from "./regions.ts";

/**
 * Area under the per-region overlap curve up to a false positive rate, divided by that rate: in [0, 1]. Exact: every
 * distinct value of the maps is a threshold. Null where there is no defective region or no good pixel.
 *
 * The overlap at a threshold is the mean, over all 8-connected regions of all images, of the share of the region at or
 * above it; the false positive rate counts the good pixels of all images. Straight lines join neighbouring thresholds.
 *
 * @param limit in (0, 1]
 * @param ranking what `rankPixels` returned for the same images
 * @throws InputError as `rankPixels`; OptionError for another limit
 * @see Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021
 */
export function aupro(images: readonly ScoredMap[], limit = 0.3, ranking: Ranking = rankPixels(images)): number | null {
  if (!(limit > 0 && limit <= 1)) throw new OptionError(`the limit of the false positive rate must be in (0, 1], got ${limit}`);
  const { positives, negatives, falsePositives } = ranking;
  if (positives === 0 || negatives === 0) return null;
  const overlaps = overlapsAt(images, ranking);
  let area = 0;
  let rate = 0;
  let overlap = 0;
  for (let i = 0; rate < limit; i++) { // ends: the lowest threshold has rate 1
    const nextRate = falsePositives[i]! / negatives;
    const nextOverlap = overlaps[i]!;
    const to = Math.min(nextRate, limit);
    const overlapAtEnd = to < nextRate ? overlap + ((nextOverlap - overlap) * (to - rate)) / (nextRate - rate) : nextOverlap;
    area += ((to - rate) * (overlap + overlapAtEnd)) / 2;
    rate = nextRate;
    overlap = nextOverlap;
  }
  return Math.min(1, area / limit); // rounding may add an ulp
}

/**
 * False positive rate against per-region overlap (see `aupro`), from (0,0) to (1,1), in at most `maxPoints` points; none
 * where there is no defective region or no good pixel.
 *
 * @param ranking what `rankPixels` returned for the same images
 * @throws InputError as `rankPixels`; OptionError unless `maxPoints` is a whole number from 2
 */
export function proCurve(images: readonly ScoredMap[], maxPoints = 500, ranking: Ranking = rankPixels(images)): Curve {
  const { positives, negatives, falsePositives } = ranking;
  const overlaps = overlapsAt(images, ranking);
  return thinned(
    positives > 0 && negatives > 0 ? falsePositives.length + 1 : 0,
    (i) => (i === 0 ? 0 : falsePositives[i - 1]! / negatives),
    (i) => (i === 0 ? 0 : overlaps[i - 1]!),
    maxPoints,
  );
}

/** The mean overlap at each threshold of the ranking. Only the defective pixels are sorted, the few. */
function overlapsAt(images: readonly ScoredMap[], { positives, thresholds }: Ranking): Float64Array {
  const scores = new Float32Array(positives);
  const regions = new Uint32Array(positives);
  const areas: number[] = [];
  let at = 0;
  for (const { map, mask, width, height } of images) {
    if (!mask) continue;
    const { labels, count } = connectedRegions(mask, width, height);
    const before = areas.length;
    for (let region = 0; region < count; region++) areas.push(0);
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] === 0) continue;
      const region = before + labels[i]! - 1;
      areas[region]!++;
      scores[at] = map[i]!;
      regions[at++] = region;
    }
  }
  radixSort(scores, regions);
  const overlaps = new Float64Array(thresholds.length);
  let overlap = 0;
  for (let i = 0; i < thresholds.length; i++) {
    for (; at > 0 && scores[at - 1] === thresholds[i]; at--) overlap += 1 / areas[regions[at - 1]!]!;
    overlaps[i] = at === 0 ? 1 : overlap / areas.length; // all regions whole: 1, whatever the sum was rounded to
  }
  return overlaps;
}
