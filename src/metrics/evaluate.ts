import { aupro, type ScoredMap } from "./aupro.ts";
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

/** Fractions in [0, 1]; null where undefined: no defects, no good images, no masks. */
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

/** Ranks images by their scores and pixels by their maps. Defective images without a mask have no part in the latter. */
export function rankings(samples: readonly Sample[]): Rankings {
  const image = rank(Float32Array.from(samples, ({ score }) => score), Uint8Array.from(samples, ({ defective }) => (defective ? 1 : 0)));
  const maps = knownMaps(samples);
  const pixels = maps.reduce((sum, { map }) => sum + map.length, 0);
  const scores = new Float32Array(pixels);
  const labels = new Uint8Array(pixels);
  let at = 0;
  for (const { map, mask } of maps) {
    scores.set(map, at);
    labels.set(mask, at);
    at += map.length;
  }
  const pixel = rank(scores, labels);
  return { image, pixel: pixel.positives > 0 ? pixel : null };
}

/**
 * The field's metrics over one class's images.
 * @param ranked what `rankings` returned for the same samples
 */
export function evaluate(samples: readonly Sample[], { image, pixel }: Rankings = rankings(samples)): Metrics {
  // Precision and F1 say nothing where every image is defective.
  const both = image.positives > 0 && image.negatives > 0;
  return {
    imageAuroc: auroc(image),
    imageAp: both ? averagePrecision(image) : null,
    imageF1Max: both ? f1Max(image)!.value : null,
    pixelAuroc: pixel && auroc(pixel),
    pixelAp: pixel && averagePrecision(pixel),
    pixelF1Max: pixel && f1Max(pixel)!.value,
    pixelAupro: pixel && aupro(knownMaps(samples)),
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

function knownMaps(samples: readonly Sample[]): ScoredMap[] {
  return samples
    .filter(({ defective, mask }) => !defective || mask)
    .map(({ map, mask, width, height }) => ({ map, mask: mask ?? new Uint8Array(map.length), width, height }));
}
