import { AUPRO_LIMIT, requireLimit } from "./aupro.ts";
import type { PixelRanking } from "./pixels.ts";
import { hasBoth, type Ranking } from "./ranking.ts";

/** Lower and upper bound of a metric, rounding aside. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** Bounds of the exact metrics; null for an undefined metric. */
export interface RankingBounds {
  readonly auroc: Bounds | null;
  readonly averagePrecision: Bounds | null;
  readonly f1Max: Bounds | null;
  readonly aupro: Bounds | null;
}

/**
 * Bounds of the metrics if a ranking's thresholds are edges of bins and the order within a bin is unknown: for every
 * order, ties included, the exact metric lies between the bounds.
 *
 * With p positives and n negatives in a bin, its part of each curve runs from one known corner to the next and rises:
 * AUROC gains between 0 and p n pairs, the overlap's area between its height before and after. For AP, the k-th
 * positive has at best the precision of all positives and none of the bin's negatives, at least that of k positives and
 * all negatives, which is concave in k, so that the mean of its ends bounds the bin's mean from below. F1 is at least
 * its value at the edges, and at most that with all positives and none of the negatives.
 *
 * @param limit of the false positive rate for AUPRO, in (0, 1]
 * @throws OptionError for another limit
 */
export function rankingBounds(ranking: PixelRanking, limit = AUPRO_LIMIT): RankingBounds {
  requireLimit(limit);
  if (!hasBoth(ranking)) return { auroc: null, averagePrecision: null, f1Max: null, aupro: null };
  const { positives, negatives } = ranking;
  const area = { low: 0, high: 0 };
  const precision = { low: 0, high: 0 };
  const f1 = { low: 0, high: 0 };
  eachBin(ranking, ({ tp0, fp0, tp1, fp1 }) => {
    area.low += (fp1 - fp0) * tp0;
    area.high += (fp1 - fp0) * tp1;
    if (tp1 > tp0) {
      precision.low += ((tp1 - tp0) * ((tp0 + 1) / (tp0 + 1 + fp1) + tp1 / (tp1 + fp1))) / 2;
      precision.high += ((tp1 - tp0) * tp1) / (tp1 + fp0);
      f1.high = Math.max(f1.high, (2 * tp1) / (positives + tp1 + fp0));
    }
    f1.low = Math.max(f1.low, (2 * tp1) / (positives + tp1 + fp1));
  });
  const scaled = ({ low, high }: Bounds, by: number): Bounds => ({ low: low / by, high: high / by });
  return {
    auroc: scaled(area, positives * negatives),
    averagePrecision: scaled(precision, positives),
    f1Max: f1,
    aupro: scaled(overlapBounds(ranking, limit), limit),
  };
}

function overlapBounds(ranking: PixelRanking, limit: number): Bounds {
  const { negatives, overlaps } = ranking;
  const area = { low: 0, high: 0 };
  eachBin(ranking, ({ index, fp0, fp1 }) => {
    const width = Math.min(fp1 / negatives, limit) - Math.min(fp0 / negatives, limit);
    area.low += width * (index === 0 ? 0 : overlaps[index - 1]!);
    area.high += width * overlaps[index]!;
  });
  return area;
}

/** The counts before and after each bin. */
interface Bin {
  readonly index: number;
  readonly tp0: number;
  readonly fp0: number;
  readonly tp1: number;
  readonly fp1: number;
}

function eachBin({ truePositives, falsePositives }: Ranking, visit: (bin: Bin) => void): void {
  let [tp0, fp0] = [0, 0];
  for (let index = 0; index < truePositives.length; index++) {
    const [tp1, fp1] = [truePositives[index]!, falsePositives[index]!];
    visit({ index, tp0, fp0, tp1, fp1 });
    [tp0, fp0] = [tp1, fp1];
  }
}
