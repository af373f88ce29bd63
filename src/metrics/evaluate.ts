import { aupro } from "./aupro.ts";
import { rankPixels, type ScoredMap } from "./pixels.ts";
import { auroc, averagePrecision, f1Max, rank, type Ranking } from "./ranking.ts";

/** One judged image. */
export interface Sample {
  /** By its label, never by its mask. */
  readonly defective: boolean;
  readonly score: number;
  /** Row-major, width * height. */
  readonly map: Float32Array;
  /** Row-major, anything but 0 is defective; null where unknown. A good image needs none. */
  readonly mask: Uint8Array | null;
  readonly width: number;
  readonly height: number;
}

/** Fractions in [0, 1]; null where undefined: no defects, nothing good, no masks. */
export interface Metrics {
  readonly imageAuroc: number | null;
  readonly imageAp: number | null;
  readonly imageF1Max: number | null;
  readonly pixelAuroc: number | null;
  readonly pixelAp: number | null;
  readonly pixelF1Max: number | null;
  readonly pixelAupro: number | null;
}

/** The orderings that metrics and curves are made of. */
export interface Rankings {
  readonly image: Ranking;
  /** Of the images whose pixels are known; null if none of them is defective. */
  readonly pixel: Ranking | null;
}

/**
 * Ranks images by their scores and pixels by their maps. Defective images without a mask have no part in the latter.
 * @throws InputError if a score or a map's value is not finite, or a map or mask is not width * height long
 */
export function rankings(samples: readonly Sample[]): Rankings {
  const image = rank(Float64Array.from(samples, ({ score }) => score), Uint8Array.from(samples, ({ defective }) => (defective ? 1 : 0)));
  const pixel = rankPixels(knownMaps(samples));
  return { image, pixel: pixel.positives > 0 ? pixel : null };
}

/**
 * The field's metrics over one class's images. An AUROC below 0.5 is reported as it is.
 *
 * @param ranked what `rankings` returned for the same samples
 * @throws InputError as `rankings`
 */
export function evaluate(samples: readonly Sample[], { image, pixel }: Rankings = rankings(samples)): Metrics {
  return {
    imageAuroc: auroc(image),
    imageAp: averagePrecision(image),
    imageF1Max: f1Max(image)?.value ?? null,
    pixelAuroc: pixel && auroc(pixel),
    pixelAp: pixel && averagePrecision(pixel),
    pixelF1Max: pixel && (f1Max(pixel)?.value ?? null),
    pixelAupro: pixel && aupro(knownMaps(samples), 0.3, pixel),
  };
}

/** Each metric's mean over the classes in which it is defined. */
export function meanMetrics(classes: readonly Metrics[]): Metrics {
  const mean = (key: keyof Metrics): number | null => {
    const values = classes.map((metrics) => metrics[key]).filter((value) => value !== null);
    return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
  };
  return {
    imageAuroc: mean("imageAuroc"),
    imageAp: mean("imageAp"),
    imageF1Max: mean("imageF1Max"),
    pixelAuroc: mean("pixelAuroc"),
    pixelAp: mean("pixelAp"),
    pixelF1Max: mean("pixelF1Max"),
    pixelAupro: mean("pixelAupro"),
  };
}

const knownMaps = (samples: readonly Sample[]): ScoredMap[] => samples.filter(({ defective, mask }) => !defective || mask);
