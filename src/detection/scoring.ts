import type { CellScores, Scoring } from "../methods/method.ts";
import { divide, maximum, minimum, multiply, scalar } from "../ops/elementwise.ts";
import { gaussianBlur } from "../ops/gaussian_blur.ts";
import { averagePool } from "../ops/pool.ts";
import { max, mean } from "../ops/reduce.ts";
import { resize } from "../ops/resize.ts";
import { reshape } from "../ops/shape.ts";
import { topKMean } from "../ops/statistics.ts";
import { nonFinite } from "../tensor/finite.ts";
import { fromArray, toArray, type Tensor } from "../tensor/tensor.ts";

/** The scores of a batch of images. */
export interface ImageScores {
  /** `[N, size, size, 1]` */
  readonly map: Tensor;
  /** `[N, 1, 1, 1]` */
  readonly score: Tensor;
  /** `[N, 1, 1, 1]`: the largest value of the map. */
  readonly peak: Tensor;
  /** `[N, size, size, 1]`: the map of which the score is made, where it is another; else null. */
  readonly scored: Tensor | null;
}

/** The scores of an image. */
export interface ReadScores {
  /** Row-major, `size` x `size`. */
  readonly map: Float32Array;
  readonly score: number;
  /** The largest value of the map. */
  readonly peak: number;
  /** Row-major: the map of which the score is made, where it is another and was asked for; else null. */
  readonly scored: Float32Array | null;
}

/** A reason why an image has no scores. */
export interface ScoringProblem {
  readonly problem: string;
}

/** Reads the scores of a batch, image by image: the call reads what they are then. Not finite, they are a problem. */
export async function readScores({
  map,
  score,
  peak,
  scored,
}: ImageScores): Promise<readonly (ReadScores | ScoringProblem)[]> {
  const reads = [map, score, peak, ...(scored ? [scored] : [])].map((tensor) => toArray(tensor));
  const [maps, scores, peaks, scoredMaps] = (await Promise.all(reads)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array?,
  ];
  const pixels = maps.length / scores.length;
  return Array.from(scores, (score, i) => {
    const map = maps.slice(i * pixels, (i + 1) * pixels);
    const scored = scoredMaps?.slice(i * pixels, (i + 1) * pixels) ?? null;
    const wrong = nonFinite(map) ?? (scored && nonFinite(scored)); // the largest value hides NaN on some adapters
    if (wrong || !Number.isFinite(score))
      return { problem: wrong ? `its map holds ${wrong}` : `its score is ${score}` };
    return { map, score, peak: peaks[i]!, scored };
  });
}

/** Side of the image that extents of a Scoring are stated for, pixels. */
export const REFERENCE_SIZE = 224;

/**
 * Computes maps and image scores from a model's cells.
 * @param size side of the maps, pixels
 * @param counted `[N, size, size, 1]`: 1 where a pixel counts, else 0; null where all do
 */
export function imageScores(
  { map: cells, image }: CellScores,
  scoring: Scoring,
  size: number,
  counted: Tensor | null,
): ImageScores {
  const scale = size / REFERENCE_SIZE;
  const smoothedMap = (values: Tensor): Tensor => {
    const pixels = enlarged(values, size, scoring.alignCorners);
    return counted ? smoothedWithin(pixels, counted, scoring, scale) : smoothed(pixels, scoring, scale);
  };
  const map = smoothedMap(cells);
  const peak = max(map, [1, 2, 3]);
  if (scoring.image.kind === "cells") return { map, score: largestCell(image ?? cells, counted), peak, scored: null };
  const scored = image ? smoothedMap(image) : null;
  return { map, score: scoreOf(scored ?? map, scoring.image, scale, counted), peak, scored };
}

/** The image's score of a smoothed map; `[N, 1, 1, 1]`. */
function scoreOf(
  map: Tensor,
  image: Exclude<Scoring["image"], { readonly kind: "cells" }>,
  scale: number,
  counted: Tensor | null,
): Tensor {
  switch (image.kind) {
    case "max":
      return max(map, [1, 2, 3]);
    case "topShare":
      return topMean(map, image.share, counted);
    case "windowMean": {
      const window = Math.max(1, Math.round(image.side * scale));
      return max(counted ? windowMeansWithin(map, counted, window) : windowMeans(map, window), [1, 2, 3]);
    }
  }
}

/**
 * The mean of a map's largest values, a share of all its pixels; of as many of those that count, or of all of these
 * where there are fewer. The others hold 0.
 */
function topMean(map: Tensor, share: number, counted: Tensor | null): Tensor {
  const [batch, height, width] = map.shape as [number, number, number];
  const pixels = height * width;
  const k = Math.max(1, Math.round(share * pixels));
  const top = reshape(topKMean(reshape(map, [batch, pixels]), k), [batch, 1, 1, 1]);
  if (!counted) return top;
  const taken = multiply(mean(counted, [1, 2, 3]), scalar(map.device, pixels / k));
  return divide(top, minimum(reshape(taken, [batch, 1, 1, 1]), scalar(map.device, 1)));
}

/** `[N, h, w]` -> `[N, size, size, 1]` */
function enlarged(cells: Tensor, size: number, alignCorners: boolean): Tensor {
  const [batch, height, width] = cells.shape as [number, number, number];
  return resize(reshape(cells, [batch, height, width, 1]), [size, size], { alignCorners });
}

/** The largest cell, of those with a pixel that counts; `[N, 1, 1, 1]`. */
function largestCell(cells: Tensor, counted: Tensor | null): Tensor {
  const [batch, height, width] = cells.shape as [number, number, number];
  const values = reshape(cells, [batch, height, width, 1]);
  if (!counted || height * width === 1) return max(values, [1, 2, 3]);
  const size = counted.shape[1]!;
  const nearest = resize(values, [size, size], { mode: "nearest" });
  return max(multiply(nearest, counted), [1, 2, 3]);
}

/** The mean around each pixel of `[N, S, S, 1]`. */
function smoothed(pixels: Tensor, { smoothing }: Scoring, scale: number): Tensor {
  if (!smoothing) return pixels;
  if (smoothing.kind === "gaussian") return gaussianBlur(pixels, gaussianOf(smoothing.sigma * scale));
  const side = boxSide(smoothing.side, scale);
  const half = (side - 1) / 2;
  // A box is separable, and so is the number of its pixels inside the image. Along a column, a row's pixels are
  // channels: they travel in packs.
  const columns = averagePool(columnsOf(pixels), [side, 1], { stride: 1, padding: [half, 0], countIncludePad: false });
  return averagePool(reshape(columns, pixels.shape), [1, side], {
    stride: 1,
    padding: [0, half],
    countIncludePad: false,
  });
}

const boxSide = (side: number, scale: number): number => 2 * Math.round((side * scale - 1) / 2) + 1;

/** A Gaussian cut off at four standard deviations, with mirrored borders. */
const gaussianOf = (sigma: number) => ({ sigma, size: 2 * Math.round(4 * sigma) + 1, border: "reflect" }) as const;

/** The mean over each window inside the image. */
function windowMeans(map: Tensor, window: number): Tensor {
  const columns = averagePool(columnsOf(map), [window, 1], { stride: 1 });
  const [batch, height, , width] = columns.shape as [number, number, number, number];
  return averagePool(reshape(columns, [batch, height, width, 1]), [1, window], { stride: 1 });
}

/** `[N, H, W, 1]` -> `[N, H, 1, W]` */
const columnsOf = (map: Tensor): Tensor => {
  const [batch, height, width] = map.shape as [number, number, number];
  return reshape(map, [batch, height, 1, width]);
};

/** The mean of the counted pixels around each pixel, so that no others leak in; 0 at pixels that do not count. */
function smoothedWithin(pixels: Tensor, counted: Tensor, scoring: Scoring, scale: number): Tensor {
  const { smoothing } = scoring;
  if (!smoothing) return multiply(pixels, counted);
  const pixelsInWindow = smoothing.kind === "box" ? boxSide(smoothing.side, scale) ** 2 : 1e6;
  const least = fromArray(pixels.device, [1], Float32Array.of(0.5 / pixelsInWindow)); // half of what one pixel makes
  const shares = maximum(smoothed(counted, scoring, scale), least);
  return multiply(divide(smoothed(multiply(pixels, counted), scoring, scale), shares), counted);
}

/**
 * The mean of the counted pixels in each window. If less than half of a window counts, its sum is divided by half of
 * its pixels, so that a few border pixels do not decide; if no window reaches half, by the largest count of any window.
 */
function windowMeansWithin(map: Tensor, counted: Tensor, window: number): Tensor {
  const shares = windowMeans(counted, window);
  const most = reshape(max(shares, [1, 2, 3]), [counted.shape[0]!, 1, 1, 1]);
  const enough = minimum(most, fromArray(map.device, [1], Float32Array.of(0.5)));
  return divide(windowMeans(map, window), maximum(shares, enough));
}
