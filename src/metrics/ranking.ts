import { InputError } from "../runtime/errors.ts";
import { thinned, type Curve } from "./curve.ts";
import { radixSort } from "./radix_sort.ts";

type Scores = Float32Array | Float64Array;
type Counts = Uint32Array | Float64Array;

/**
 * Cumulative counts, the basis of threshold metrics: for each distinct score, from the highest, the number of scores at
 * or above it.
 */
export interface Ranking {
  readonly positives: number;
  readonly negatives: number;
  /** Distinct scores, descending. */
  readonly thresholds: Scores;
  /** Positives with a score of at least the threshold. */
  readonly truePositives: Counts;
  /** Negatives with a score of at least the threshold. */
  readonly falsePositives: Counts;
}

/**
 * Sorts scores once, for all metrics below.
 *
 * @param scores any finite numbers; the larger, the more likely positive
 * @param labels 0 for negative, anything else for positive
 * @throws InputError if the lengths differ or a score is not finite
 */
export function rank(scores: Scores, labels: Uint8Array): Ranking {
  if (scores.length !== labels.length)
    throw new InputError(`expected a label for each of ${scores.length} scores, got ${labels.length} labels`);
  let positives = 0;
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isFinite(scores[i]!)) throw new InputError(`score ${i} is ${scores[i]}; scores must be finite`);
    if (labels[i] !== 0) positives++;
  }
  const negatives = scores.length - positives;
  const positive = ofKind(scores, positives);
  const negative = ofKind(scores, negatives);
  for (let i = 0, p = 0, n = 0; i < scores.length; i++) {
    if (labels[i] !== 0) positive[p++] = scores[i]!;
    else negative[n++] = scores[i]!;
  }
  sort(positive);
  sort(negative);
  return rankSorted(positive, negative);
}

/** The ranking of positive and negative scores, each sorted ascending. */
export function rankSorted(positive: Scores, negative: Scores): Ranking {
  let distinct = 0;
  eachThreshold(positive, negative, () => distinct++);
  const thresholds = ofKind(positive, distinct);
  const truePositives = new Uint32Array(distinct);
  const falsePositives = new Uint32Array(distinct);
  let at = 0;
  eachThreshold(positive, negative, (threshold, tp, fp) => {
    thresholds[at] = threshold;
    truePositives[at] = tp;
    falsePositives[at++] = fp;
  });
  return { positives: positive.length, negatives: negative.length, thresholds, truePositives, falsePositives };
}

/** Area under the ROC curve, in [0, 1], ties counted half; null if a class is absent. */
export function auroc(ranking: Ranking): number | null {
  if (!hasBoth(ranking)) return null;
  const { positives, negatives, truePositives, falsePositives } = ranking;
  let area = 0;
  let tp = 0;
  let fp = 0;
  for (let i = 0; i < truePositives.length; i++) {
    area += ((falsePositives[i]! - fp) * (truePositives[i]! + tp)) / 2;
    tp = truePositives[i]!;
    fp = falsePositives[i]!;
  }
  return area / positives / negatives;
}

/**
 * Average precision, in [0, 1]: the step sum of precision over recall; null if a class is absent.
 * @see sklearn.metrics.average_precision_score
 */
export function averagePrecision(ranking: Ranking): number | null {
  if (!hasBoth(ranking)) return null;
  const { positives, truePositives, falsePositives } = ranking;
  let sum = 0;
  let tp = 0;
  for (let i = 0; i < truePositives.length; i++) {
    const found = truePositives[i]!;
    if (found > tp) sum += ((found - tp) * found) / (found + falsePositives[i]!);
    tp = found;
  }
  return sum / positives;
}

/** A metric's largest value, and its threshold. */
export interface ThresholdValue {
  readonly value: number;
  readonly threshold: number;
}

/**
 * The largest F1 over all thresholds, in [0, 1], and the highest threshold that reaches it; null if a class is absent.
 */
export function f1Max(ranking: Ranking): ThresholdValue | null {
  return largest(ranking, (tp, fp) => (2 * tp) / (ranking.positives + tp + fp));
}

/**
 * The largest difference of true and false positive rate (Youden's index) over all thresholds, in [0, 1], and the
 * highest threshold that reaches it; null if a class is absent. Unlike F1 it does not depend on the share of positive
 * images.
 */
export function youden(ranking: Ranking): ThresholdValue | null {
  return largest(ranking, (tp, fp) => tp / ranking.positives - fp / ranking.negatives);
}

/** The largest value over all thresholds, and the highest one that reaches it. */
function largest(
  ranking: Ranking,
  valueOf: (truePositives: number, falsePositives: number) => number,
): ThresholdValue | null {
  if (!hasBoth(ranking)) return null;
  const { thresholds, truePositives, falsePositives } = ranking;
  let best = -Infinity;
  let threshold = NaN;
  for (let i = 0; i < thresholds.length; i++) {
    const value = valueOf(truePositives[i]!, falsePositives[i]!);
    if (value > best) [best, threshold] = [value, thresholds[i]!];
  }
  return { value: best, threshold };
}

/**
 * False positive rate against true positive rate, from (0,0) to (1,1), in at most `maxPoints` points; empty if a class
 * is absent.
 * @throws OptionError unless `maxPoints` is a whole number of at least 2
 */
export function rocCurve(ranking: Ranking, maxPoints = 500): Curve {
  const { positives, negatives, truePositives, falsePositives } = ranking;
  return thinned(
    hasBoth(ranking) ? truePositives.length + 1 : 0,
    (i) => (i === 0 ? 0 : falsePositives[i - 1]! / negatives),
    (i) => (i === 0 ? 0 : truePositives[i - 1]! / positives),
    maxPoints,
  );
}

/**
 * Recall against precision, from the highest threshold to (1, share of positives), in at most `maxPoints` points; empty
 * if a class is absent. Precision is undefined if nothing is found, so the curve need not begin at recall 0.
 *
 * @throws OptionError unless `maxPoints` is a whole number of at least 2
 */
export function precisionRecallCurve(ranking: Ranking, maxPoints = 500): Curve {
  const { positives, truePositives, falsePositives } = ranking;
  return thinned(
    hasBoth(ranking) ? truePositives.length : 0,
    (i) => truePositives[i]! / positives,
    (i) => truePositives[i]! / (truePositives[i]! + falsePositives[i]!),
    maxPoints,
  );
}

export const hasBoth = ({ positives, negatives }: Ranking): boolean => positives > 0 && negatives > 0;

const ofKind = (scores: Scores, count: number): Scores =>
  scores instanceof Float32Array ? new Float32Array(count) : new Float64Array(count);

function sort(scores: Scores): void {
  if (scores instanceof Float32Array) radixSort(scores);
  else scores.sort();
}

/**
 * Visits the distinct values of two ascending arrays from the highest, with the number of elements of each array at or
 * above it.
 */
function eachThreshold(
  positive: Scores,
  negative: Scores,
  visit: (threshold: number, tp: number, fp: number) => void,
): void {
  let p = positive.length;
  let n = negative.length;
  while (p > 0 || n > 0) {
    const threshold = Math.max(p > 0 ? positive[p - 1]! : -Infinity, n > 0 ? negative[n - 1]! : -Infinity);
    while (p > 0 && positive[p - 1] === threshold) p--;
    while (n > 0 && negative[n - 1] === threshold) n--;
    visit(threshold, positive.length - p, negative.length - n);
  }
}
