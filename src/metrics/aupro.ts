import { OptionError } from "../runtime/errors.ts";
import { thinned, type Curve } from "./curve.ts";
import type { PixelRanking } from "./pixels.ts";
import { hasBoth } from "./ranking.ts";

/** The usual limit of the false positive rate for AUPRO. */
export const AUPRO_LIMIT = 0.3;

/**
 * Area under the per-region overlap curve up to a false positive rate, divided by that rate: in [0, 1]. Null if there
 * is no defective region or no good pixel.
 *
 * The overlap at a threshold is the mean, over all 8-connected regions of all images, of the share of the region at or
 * above it; the false positive rate counts the good pixels of all images. Neighbouring thresholds are joined linearly.
 *
 * @param limit in (0, 1]
 * @throws OptionError for another limit
 * @see Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021
 */
export function aupro(ranking: PixelRanking, limit = AUPRO_LIMIT): number | null {
  requireLimit(limit);
  if (!hasBoth(ranking)) return null;
  const { negatives, falsePositives, overlaps } = ranking;
  let area = 0;
  let rate = 0;
  let overlap = 0;
  for (let i = 0; rate < limit; i++) {
    // ends: the lowest threshold has rate 1
    const nextRate = falsePositives[i]! / negatives;
    const nextOverlap = overlaps[i]!;
    const to = Math.min(nextRate, limit);
    const overlapAtEnd =
      to < nextRate ? overlap + ((nextOverlap - overlap) * (to - rate)) / (nextRate - rate) : nextOverlap;
    area += ((to - rate) * (overlap + overlapAtEnd)) / 2;
    rate = nextRate;
    overlap = nextOverlap;
  }
  return Math.min(1, area / limit); // rounding may add an ulp
}

/** @throws OptionError unless the limit of the false positive rate is in (0, 1] */
export function requireLimit(limit: number): void {
  if (!(limit > 0 && limit <= 1))
    throw new OptionError(`the limit of the false positive rate must be in (0, 1], got ${limit}`);
}

/**
 * False positive rate against per-region overlap (see `aupro`), from (0,0) to (1,1), in at most `maxPoints` points;
 * empty if there is no defective region or no good pixel.
 *
 * @throws OptionError unless `maxPoints` is a whole number of at least 2
 */
export function proCurve(ranking: PixelRanking, maxPoints = 500): Curve {
  const { negatives, falsePositives, overlaps } = ranking;
  return thinned(
    hasBoth(ranking) ? falsePositives.length + 1 : 0,
    (i) => (i === 0 ? 0 : falsePositives[i - 1]! / negatives),
    (i) => (i === 0 ? 0 : overlaps[i - 1]!),
    maxPoints,
  );
}
