import { RandomStream } from "../tensor/random.ts";
import { aupro } from "./aupro.ts";
import type { ImageHistogram } from "./image_histogram.ts";
import { eachMetric, meanOfDefined, METRICS, type MetricName, type Metrics } from "./metrics.ts";
import type { PixelRanking } from "./pixels.ts";
import { auroc, averagePrecision, f1Max, type Ranking } from "./ranking.ts";

/** The data that resampling needs of an image. */
export interface DrawnImage {
  readonly defective: boolean;
  readonly score: number;
  /** Null if its defective pixels are unknown: the image is left out of pixel metrics. */
  readonly pixels: ImageHistogram | null;
}

/** The two ends of an interval. */
export type Interval = readonly [low: number, high: number];
/** An interval for each metric; null where the metric is undefined. */
export type Intervals = Readonly<Record<MetricName, Interval | null>>;

/** Each metric in each resample; null if the metric is undefined, in the resample or overall. */
export type Resampled = Readonly<Record<MetricName, readonly (number | null)[]>>;

export const LEVEL = 0.95;
const STREAM = 0x626f6f74; // differs from training's streams

/**
 * Metrics of bootstrap resamples: as many images, drawn with replacement, good and defective ones separately.
 *
 * Image metrics are exact. Pixel metrics come from the images' histograms, corrected by the histograms' error for the
 * original images.
 *
 * @param metrics of the original images
 * @param seed a whole number below 2^32, as is `part`; different parts, such as classes, are drawn independently
 */
export function resampledMetrics(
  images: readonly DrawnImage[],
  metrics: Metrics,
  resamples: number,
  seed = 0,
  part = 0,
): Resampled {
  const imageMetrics = weightedImages(images);
  const pixelMetrics = weightedPixels(images);
  const measured = (weights: Uint32Array): Metrics => ({ ...imageMetrics(weights), ...pixelMetrics(weights) });
  const whole = measured(new Uint32Array(images.length).fill(1));
  const values = eachMetric((): (number | null)[] => []);
  for (const weights of resamplesOf(images, resamples, seed, part)) {
    const drawn = measured(weights);
    for (const name of METRICS) {
      const [value, of, exact] = [drawn[name], whole[name], metrics[name]];
      const defined = value !== null && of !== null && exact !== null;
      values[name].push(defined ? Math.min(Math.max(value + exact - of, 0), 1) : null);
    }
  }
  return values;
}

/** Yields resamples as the number of times that each image is drawn. */
export function* resamplesOf(
  images: readonly { readonly defective: boolean }[],
  resamples: number,
  seed: number,
  part: number,
): Generator<Uint32Array> {
  const random = new RandomStream(seed, STREAM, part);
  const strata = [true, false].map((kind) => [...images.keys()].filter((i) => images[i]!.defective === kind));
  for (let resample = 0; resample < resamples; resample++) {
    const weights = new Uint32Array(images.length);
    for (const members of strata) {
      for (let i = 0; i < members.length; i++) weights[members[Math.floor(members.length * random.unit())]!]!++;
    }
    yield weights;
  }
}

/** The mean over classes, for each resample. */
export const meanResampled = (classes: readonly Resampled[]): Resampled =>
  eachMetric((name) =>
    Array.from({ length: classes[0]?.[name].length ?? 0 }, (_, i) =>
      meanOfDefined(classes.map((values) => values[name][i]!)),
    ),
  );

/** Percentile intervals: the middle 95 % of the resamples. */
export const intervalsOf = (resampled: Resampled): Intervals =>
  eachMetric((name) => intervalOf(resampled[name].filter((value) => value !== null)));

/** The middle 95 % of values; null if there are none. */
export function intervalOf(values: readonly number[]): Interval | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  return [quantile(sorted, (1 - LEVEL) / 2), quantile(sorted, (1 + LEVEL) / 2)];
}

/** Interpolates linearly between order statistics. @see numpy.quantile */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below]! + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)]! - sorted[below]!);
}

type Weighted<Name extends MetricName> = (weights: Uint32Array) => Pick<Metrics, Name>;

/** Image metrics of images with integer weights, possibly 0. */
function weightedImages(images: readonly DrawnImage[]): Weighted<"imageAuroc" | "imageAp" | "imageF1Max"> {
  const order = [...images.keys()].sort((a, b) => images[b]!.score - images[a]!.score);
  const thresholds = Float64Array.from(new Set(order.map((i) => images[i]!.score)));
  const truePositives = new Uint32Array(thresholds.length);
  const falsePositives = new Uint32Array(thresholds.length);
  return (weights) => {
    let [at, tp, fp] = [0, 0, 0];
    for (let threshold = 0; threshold < thresholds.length; threshold++) {
      for (; at < order.length && images[order[at]!]!.score === thresholds[threshold]; at++) {
        if (images[order[at]!]!.defective) tp += weights[order[at]!]!;
        else fp += weights[order[at]!]!;
      }
      truePositives[threshold] = tp;
      falsePositives[threshold] = fp;
    }
    const ranking: Ranking = { positives: tp, negatives: fp, thresholds, truePositives, falsePositives };
    return {
      imageAuroc: auroc(ranking),
      imageAp: averagePrecision(ranking),
      imageF1Max: f1Max(ranking)?.value ?? null,
    };
  };
}

/** Pixel metrics of images with integer weights, possibly 0; from their histograms. */
function weightedPixels(
  images: readonly DrawnImage[],
): Weighted<"pixelAuroc" | "pixelAp" | "pixelF1Max" | "pixelAupro"> {
  const bins = [...new Set(images.flatMap(({ pixels }) => (pixels ? Array.from(pixels.bins) : [])))].sort(
    (a, b) => b - a,
  );
  const rankOf = new Map(bins.map((bin, rank) => [bin, rank]));
  const places = images.map(({ pixels }) => pixels && Uint16Array.from(pixels.bins, (bin) => rankOf.get(bin)!));
  const thresholds = Float64Array.from(bins);
  const [truePositives, falsePositives, overlaps] = [
    new Float64Array(bins.length),
    new Float64Array(bins.length),
    new Float64Array(bins.length),
  ];
  return (weights) => {
    for (const values of [truePositives, falsePositives, overlaps]) values.fill(0);
    let regions = 0;
    for (const [image, { pixels }] of images.entries()) {
      const weight = weights[image]!;
      if (!pixels || weight === 0) continue;
      const { negatives, defects } = pixels;
      const ranks = places[image]!;
      for (let i = 0; i < ranks.length; i++) falsePositives[ranks[i]!]! += weight * negatives[i]!;
      if (!defects) continue;
      regions += weight * defects.regions;
      for (let i = 0; i < ranks.length; i++) {
        truePositives[ranks[i]!]! += weight * defects.positives[i]!;
        overlaps[ranks[i]!]! += weight * defects.overlaps[i]!;
      }
    }
    for (const values of [truePositives, falsePositives, overlaps]) accumulate(values);
    for (let i = 0; i < overlaps.length; i++) overlaps[i]! /= regions;
    const [positives, negatives] = [truePositives.at(-1) ?? 0, falsePositives.at(-1) ?? 0];
    const ranking: PixelRanking = { positives, negatives, thresholds, truePositives, falsePositives, overlaps };
    return {
      pixelAuroc: auroc(ranking),
      pixelAp: averagePrecision(ranking),
      pixelF1Max: f1Max(ranking)?.value ?? null,
      pixelAupro: aupro(ranking),
    };
  };
}

function accumulate(values: Float64Array): void {
  for (let i = 1; i < values.length; i++) values[i]! += values[i - 1]!;
}
