// Definition of PatchCore, in float64, from cells of good images to scores.
import { farthestPoints } from "./farthest_points.ts";
import * as blur from "./gaussian_blur.ts";
import { indices, rowsOf, squaredDistance } from "./nearest_rows.ts";
import * as resize from "./resize.ts";

type Numbers = ArrayLike<number>;

export interface PatchCore {
  readonly channels: number;
  /** Rows of the bank. */
  readonly rows: number;
  /** Index of the row that is chosen first. */
  readonly start: number;
  /** `[C, D]`; null for none. */
  readonly projection: Numbers | null;
}

/**
 * Cells, `[M, C]`, that cover all `[N, C]`: greedily the farthest from those chosen, by distances after the projection.
 */
export function bankOf({ channels, rows, start, projection }: PatchCore, cells: Numbers): number[][] {
  const all = rowsOf(cells, channels);
  const dimensions = projection ? projection.length / channels : channels;
  const project = (row: readonly number[]): number[] =>
    Array.from({ length: dimensions }, (_, d) =>
      row.reduce((sum, x, c) => sum + x * projection![c * dimensions + d]!, 0),
    );
  const searched = (projection ? all.map(project) : all).flat();
  const chosen = farthestPoints({ rows: all.length, channels: dimensions, count: rows, start }, searched);
  return Array.from(chosen, (row) => all[row]!);
}

/** Distance of each cell to the nearest row of the bank. */
export const distances = (bank: readonly (readonly number[])[], cells: readonly Numbers[]): number[] =>
  cells.map((cell) => Math.sqrt(Math.min(...bank.map((row) => squaredDistance(cell, row)))));

/** An image's score: the largest distance; with several neighbours, reduced by the nearest row's share among them. */
export function imageScore(
  bank: readonly (readonly number[])[],
  cells: readonly Numbers[],
  neighbours: number,
): number {
  const all = distances(bank, cells);
  const largest = Math.max(...all);
  if (neighbours === 1) return largest;
  const channels = bank[0]!.length;
  const nearestTo = (row: Numbers, k: number): number[] =>
    Array.from(indices({ queries: 1, rows: bank.length, channels, k }, row, bank.flat()));
  const worst = cells[all.indexOf(largest)]!;
  const [nearest] = nearestTo(worst, 1);
  const offsets = nearestTo(bank[nearest!]!, neighbours).map((row) => Math.sqrt(squaredDistance(worst, bank[row]!)));
  const sum = offsets.reduce((total, d) => total + Math.exp(d), 0);
  return (1 - Math.exp(offsets[0]!) / sum) * largest;
}

/**
 * Cells of one image enlarged to pixels and smoothed: a Gaussian of 4 pixels at 224, cut off at four standard
 * deviations, mirrored at the border.
 */
export function smoothed(cells: readonly number[], side: number, size: number): Float64Array {
  const image = { batch: 1, channels: 1 };
  const how = { mode: "bilinear", alignCorners: false, antialias: false } as const;
  const pixels = resize.forward({ ...image, height: side, width: side, size: [size, size], ...how }, cells);
  const sigma = (4 * size) / 224;
  return blur.forward(
    { ...image, height: size, width: size, size: 2 * Math.round(4 * sigma) + 1, sigma, border: "reflect" },
    pixels,
  );
}
