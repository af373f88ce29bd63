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
   * By its label, never by its mask; the mask of a good image may be null, that of a defective one is where it is not
   * known.
   */
  readonly defective: boolean;
  readonly score: number;
}

/**
 * How pixel metrics are made: of all pixels, sorted; of a histogram of bounded size; or the former up to a number of
 * pixels.
 */
export const PIXEL_METHODS = ["exact", "streaming", "auto"] as const;
/** One of them. */
export type PixelMethod = (typeof PIXEL_METHODS)[number];

/** How metrics are made, and how sure of them to be. */
export interface EvaluationOptions {
  /** Default: auto. */
  readonly method?: PixelMethod;
  /**
   * Pixels from which on "auto" streams. Default: 2^25, that is 670 images of 224 x 224, for which the exact way takes
   * 1 GB.
   */
  readonly pixelBudget?: number;
  /** Resamples of the images for the intervals; 0: none. Default: 1000. */
  readonly resamples?: number;
  /** Of the resamples; a whole number below 2^32, as `part`, which sets apart what shares a seed. Default: 0. */
  readonly seed?: number;
  readonly part?: number;
}

/** One class's figures. */
export interface Evaluated {
  readonly metrics: Metrics;
  /** How far each may be from the exact one, rounding aside: 0 where it is exact, null where it is undefined. */
  readonly errors: Metrics;
  /** Confidence intervals of 95 %; null without resamples. */
  readonly intervals: Intervals | null;
  readonly resampled: Resampled | null;
  /** What curves are made of. */
  readonly image: Ranking;
  /** Of the images whose pixels are known; null if none of them is defective. */
  readonly pixel: PixelRanking | null;
  readonly method: Exclude<PixelMethod, "auto">;
  /** Pixels that pixel metrics are made of. */
  readonly pixels: number;
}

const DEFAULT_BUDGET = 2 ** 25;

/**
 * The field's metrics over one class's images, which are added one by one. Defective images without a mask have no part
 * in pixel metrics. An AUROC below 0.5 is reported as it is.
 */
export class Evaluation {
  readonly #options: Required<EvaluationOptions>;
  readonly #images: DrawnImage[] = [];
  /** What is to be ranked exactly; null once pixels are streamed. */
  #kept: ScoredMap[] | null;
  readonly #histogram = new PixelHistogram();
  #pixels = 0;

  /** @throws OptionError for a method that there is not, or numbers that are not whole or too small */
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
   * Takes one more image. Its map, its mask and what counts are kept, and must not change, for as long as pixels are
   * not streamed.
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

  /** The figures of all images so far. */
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

/** The metrics of images in memory. Options, errors, intervals: `Evaluation`. */
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
