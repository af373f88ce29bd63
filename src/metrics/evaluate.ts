import { OptionError } from "../runtime/errors.ts";
import { aupro } from "./aupro.ts";
import { intervalsOf, resampledMetrics, type Intervals, type DrawnImage, type Resampled } from "./bootstrap.ts";
import { rankingBounds, type Bounds } from "./bounds.ts";
import { imageHistogram } from "./image_histogram.ts";
import { eachMetric, type MetricName, type Metrics } from "./metrics.ts";
import { PixelHistogram } from "./pixel_histogram.ts";
import { pixelsOf, rankPixels, requireValid, type PixelRanking, type ScoredMap } from "./pixels.ts";
import { auroc, averagePrecision, f1Max, rank, type Ranking } from "./ranking.ts";

/** One scored image. */
export interface ScoredImage extends ScoredMap {
  /**
   * True by its label, never by its mask. The mask is null for a good image, and for a defective one if it is unknown.
   */
  readonly defective: boolean;
  readonly score: number;
}

/**
 * Computation of pixel metrics: "exact" sorts all pixels, "streaming" uses a histogram of bounded size, "auto" is exact
 * up to a number of pixels.
 */
export const PIXEL_METHODS = ["exact", "streaming", "auto"] as const;
/** One of PIXEL_METHODS. */
export type PixelMethod = (typeof PIXEL_METHODS)[number];

/** Computation of the metrics and their confidence intervals. */
export interface EvaluationOptions {
  /** Default: auto. */
  readonly method?: PixelMethod;
  /**
   * Number of pixels from which "auto" streams. Default 2^25, which is 670 images of 224 x 224; exact metrics of that
   * many take 1 GB.
   */
  readonly pixelBudget?: number;
  /** Number of bootstrap resamples of the images for the intervals; 0: no intervals. Default 1000. */
  readonly resamples?: number;
  /**
   * Seed of the resamples, a whole number below 2^32, as is `part`, which makes resamples with the same seed
   * independent. Default 0.
   */
  readonly seed?: number;
  readonly part?: number;
}

/** Metrics of one class. */
export interface Evaluated {
  readonly metrics: Metrics;
  /** Largest error of each metric, rounding aside: 0 if it is exact, null if it is undefined. */
  readonly errors: Metrics;
  /** Confidence intervals of 95 %; null without resamples. */
  readonly intervals: Intervals | null;
  readonly resampled: Resampled | null;
  /** The ranking of images, for curves. */
  readonly image: Ranking;
  /** The ranking of the pixels of images with known masks; null if none of these images is defective. */
  readonly pixel: PixelRanking | null;
  readonly method: Exclude<PixelMethod, "auto">;
  /** Number of pixels in the pixel metrics. */
  readonly pixels: number;
}

const DEFAULT_BUDGET = 2 ** 25;

/**
 * Standard metrics of one class's images, which are added one by one. Defective images without a mask are left out of
 * pixel metrics. An AUROC below 0.5 is reported as it is.
 */
export class Evaluation {
  readonly #options: Required<EvaluationOptions>;
  readonly #images: DrawnImage[] = [];
  /** Maps to be ranked exactly; null once pixels are streamed. */
  #kept: ScoredMap[] | null;
  readonly #histogram = new PixelHistogram();
  #pixels = 0;

  /** @throws OptionError for an unknown method, or numbers that are not whole or too small */
  constructor({
    method = "auto",
    pixelBudget = DEFAULT_BUDGET,
    resamples = 1000,
    seed = 0,
    part = 0,
  }: EvaluationOptions = {}) {
    if (!PIXEL_METHODS.includes(method)) {
      throw new OptionError(
        `Evaluation: expected method to be one of ${PIXEL_METHODS.join(", ")}, got ${String(method)}`,
      );
    }
    for (const [name, value] of Object.entries({ pixelBudget, resamples, seed, part })) {
      if (!(Number.isSafeInteger(value) && value >= 0))
        throw new OptionError(`Evaluation: expected ${name} to be a whole number, got ${value}`);
    }
    this.#options = { method, pixelBudget, resamples, seed, part };
    this.#kept = method === "streaming" ? null : [];
  }

  /**
   * Adds an image. Unless pixels are streamed, its map, its mask and `counted` are kept and must not change.
   * @throws InputError as `rankPixels`
   */
  add(sample: ScoredImage): void {
    const name = `image ${this.#images.length}`;
    requireValid(sample, name);
    const { defective, score, map, mask, counted = null, width, height } = sample;
    const known = !defective || mask !== null;
    this.#images.push({
      defective,
      score,
      pixels: known && this.#options.resamples > 0 ? imageHistogram(sample) : null,
    });
    if (!known) return;
    this.#pixels += pixelsOf(sample);
    if (this.#kept && this.#options.method === "auto" && this.#pixels > this.#options.pixelBudget) {
      for (const map of this.#kept) this.#histogram.add(map);
      this.#kept = null;
    }
    if (this.#kept) this.#kept.push({ map, mask, counted, width, height });
    else this.#histogram.add(sample);
  }

  /** Metrics of all images so far. */
  result(): Evaluated {
    const { resamples, seed, part } = this.#options;
    const scores = Float64Array.from(this.#images, ({ score }) => score);
    const image = rank(
      scores,
      Uint8Array.from(this.#images, ({ defective }) => (defective ? 1 : 0)),
    );
    const ranked = this.#kept ? rankPixels(this.#kept) : this.#histogram.ranking();
    const pixel = ranked.positives > 0 ? ranked : null;
    const bounds = this.#kept ? exactBounds(image, pixel) : binnedBounds(image, pixel);
    const metrics = eachMetric((name) => bounds[name] && (bounds[name].low + bounds[name].high) / 2);
    const resampled = resamples > 0 ? resampledMetrics(this.#images, metrics, resamples, seed, part) : null;
    return {
      metrics,
      errors: eachMetric((name) => bounds[name] && (bounds[name].high - bounds[name].low) / 2),
      intervals: resampled && intervalsOf(resampled),
      resampled,
      image,
      pixel,
      method: this.#kept ? "exact" : "streaming",
      pixels: this.#pixels,
    };
  }
}

/** Metrics of images in memory. For options, errors and intervals use `Evaluation`. */
export function evaluate(samples: Iterable<ScoredImage>): Metrics {
  const evaluation = new Evaluation({ method: "exact", resamples: 0 });
  for (const sample of samples) evaluation.add(sample);
  return evaluation.result().metrics;
}

type MetricBounds = Readonly<Record<MetricName, Bounds | null>>;

function exactBounds(image: Ranking, pixel: PixelRanking | null): MetricBounds {
  const point = (value: number | null): Bounds | null => (value === null ? null : { low: value, high: value });
  return {
    imageAuroc: point(auroc(image)),
    imageAp: point(averagePrecision(image)),
    imageF1Max: point(f1Max(image)?.value ?? null),
    pixelAuroc: pixel && point(auroc(pixel)),
    pixelAp: pixel && point(averagePrecision(pixel)),
    pixelF1Max: pixel && point(f1Max(pixel)?.value ?? null),
    pixelAupro: pixel && point(aupro(pixel)),
  };
}

function binnedBounds(image: Ranking, pixel: PixelRanking | null): MetricBounds {
  const bounds = pixel && rankingBounds(pixel);
  return {
    ...exactBounds(image, null),
    pixelAuroc: bounds && bounds.auroc,
    pixelAp: bounds && bounds.averagePrecision,
    pixelF1Max: bounds && bounds.f1Max,
    pixelAupro: bounds && bounds.aupro,
  };
}
