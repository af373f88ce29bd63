import { InputError } from "../runtime/errors.ts";

/** A curve's points, in order. */
export interface Curve {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** The numbers that threshold metrics are made of: after each distinct score, from the highest, how many lie at or above it. */
export interface Ranking {
  readonly positives: number;
  readonly negatives: number;
  /** Distinct scores, falling. */
  readonly thresholds: Float64Array;
  /** Positives with a score of at least the threshold. */
  readonly truePositives: Float64Array;
  /** Negatives with a score of at least the threshold. */
  readonly falsePositives: Float64Array;
}

/**
 * Orders scores once, for every metric below.
 *
 * @param scores any finite numbers; the larger, the more likely positive
 * @param labels 0 for negative, anything else for positive
 * @throws InputError if the lengths differ or a score is not finite
 */
export function rank(scores: Float32Array, labels: Uint8Array): Ranking {
  if (scores.length !== labels.length) throw new InputError(`${scores.length} scores do not go with ${labels.length} labels`);
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw new InputError(`score ${bad} is ${scores[bad]}; scores must be finite`);
  // A class by itself is sorted natively; then the two are merged from the top.
  const positive = scores.filter((_, i) => labels[i] !== 0).sort();
  const negative = scores.filter((_, i) => labels[i] === 0).sort();
  let distinct = 0;
  const points = scores.length;
  const thresholds = new Float64Array(points);
  const truePositives = new Float64Array(points);
  const falsePositives = new Float64Array(points);
  let p = positive.length;
  let n = negative.length;
  while (p > 0 || n > 0) {
    const threshold = Math.max(p > 0 ? positive[p - 1]! : -Infinity, n > 0 ? negative[n - 1]! : -Infinity);
    while (p > 0 && positive[p - 1] === threshold) p--;
    while (n > 0 && negative[n - 1] === threshold) n--;
    thresholds[distinct] = threshold;
    truePositives[distinct] = positive.length - p;
    falsePositives[distinct] = negative.length - n;
    distinct++;
  }
  return {
    positives: positive.length,
    negatives: negative.length,
    thresholds: thresholds.subarray(0, distinct),
    truePositives: truePositives.subarray(0, distinct),
    falsePositives: falsePositives.subarray(0, distinct),
  };
}

/** Area under the ROC curve, in [0, 1], ties counted half; null where a class is absent. */
export function auroc({ positives, negatives, truePositives, falsePositives }: Ranking): number | null {
  if (positives === 0 || negatives === 0) return null;
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
 * Average precision, in [0, 1]: the step sum of precision over recall; null where there is no positive.
 * @see sklearn.metrics.average_precision_score
 */
export function averagePrecision({ positives, truePositives, falsePositives }: Ranking): number | null {
  if (positives === 0) return null;
  let sum = 0;
  let tp = 0;
  for (let i = 0; i < truePositives.length; i++) {
    const found = truePositives[i]!;
    sum += ((found - tp) * found) / (found + falsePositives[i]!);
    tp = found;
  }
  return sum / positives;
}

/** The largest F1 over all thresholds, in [0, 1], and where it is reached; null where there is no positive. */
export function f1Max({ positives, thresholds, truePositives, falsePositives }: Ranking): { readonly value: number; readonly threshold: number } | null {
  if (positives === 0) return null;
  let best = { value: -1, threshold: NaN };
  for (let i = 0; i < thresholds.length; i++) {
    const tp = truePositives[i]!;
    const value = (2 * tp) / (positives + tp + falsePositives[i]!);
    if (value > best.value) best = { value, threshold: thresholds[i]! };
  }
  return best;
}

/** False positive rate against true positive rate, from (0,0) to (1,1), in at most about `maxPoints` points. */
export function rocCurve({ positives, negatives, truePositives, falsePositives }: Ranking, maxPoints = 500): Curve {
  return thinned(
    fromZero(falsePositives).map((count) => count / negatives),
    fromZero(truePositives).map((count) => count / positives),
    maxPoints,
  );
}

/** Recall against precision, from the highest threshold, in at most about `maxPoints` points. */
export function precisionRecallCurve({ positives, truePositives, falsePositives }: Ranking, maxPoints = 500): Curve {
  return thinned(
    truePositives.map((count) => count / positives),
    truePositives.map((count, i) => count / (count + falsePositives[i]!)),
    maxPoints,
  );
}

function fromZero(counts: Float64Array): Float64Array {
  const longer = new Float64Array(counts.length + 1);
  longer.set(counts, 1);
  return longer;
}

/** Leaves out points that lie closer to the last one kept than the curve's share of a point; keeps both ends. */
function thinned(x: ArrayLike<number>, y: ArrayLike<number>, maxPoints: number): Curve {
  const count = x.length;
  const least = count > maxPoints ? 2 / maxPoints : 0;
  const kept: number[] = [];
  for (let i = 0; i < count; i++) {
    const last = kept.at(-1);
    const far = last === undefined || Math.abs(x[i]! - x[last]!) + Math.abs(y[i]! - y[last]!) >= least;
    if (far || i === count - 1) kept.push(i);
  }
  return { x: Float64Array.from(kept, (i) => x[i]!), y: Float64Array.from(kept, (i) => y[i]!) };
}
