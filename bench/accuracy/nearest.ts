import type { ScoredImage } from "../../src/metrics/evaluate.ts";
import { multiply } from "../../src/ops/elementwise.ts";
import { nearestRows } from "../../src/ops/nearest_rows.ts";
import { averagePool } from "../../src/ops/pool.ts";
import { max } from "../../src/ops/reduce.ts";
import { resize } from "../../src/ops/resize.ts";
import type { Device } from "../../src/runtime/device.ts";
import { fromArray, release, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import type { FeatureClass, FeatureSet } from "./features.ts";

/** A scored image with both image scores. */
export interface Scored extends ScoredImage {
  /** Relative to the dataset. */
  readonly path: string;
  readonly map: Float32Array;
  /** Maximum of the map; `score` is the largest mean over a window. */
  readonly peak: number;
  /** True if its score reaches the model's threshold; absent where there is none. */
  readonly isRejected?: boolean;
}

/**
 * The plain baseline: a cell's anomaly is its distance to the nearest cell of all training images. Maps are smoothed
 * and scored as in GRAD.
 * @param window side of the square of cells over which features are averaged first, odd; 1: no averaging
 */
export async function nearestNeighbours(
  device: Device,
  set: FeatureSet,
  { train, test }: FeatureClass,
  window: number,
): Promise<Scored[]> {
  const { cells, channels, size } = set;
  const imagesOfPart = Math.max(1, Math.floor(device.maxBindingBytes / (4 * cells * cells * channels)));
  const bank: Tensor[] = [];
  for (let i = 0; i < train.length; i += imagesOfPart) {
    bank.push(cellsOf(device, await averagedCells(device, train.slice(i, i + imagesOfPart), set, window), channels));
  }
  const scored: Scored[] = [];
  for (const { path, defective, features, mask } of test) {
    const averaged = await averagedCells(device, [features], set, window);
    const parts: Float32Array[] = [];
    for (const rows of bank) {
      using _scope = device.scope({ awaits: true });
      parts.push(await toArray(nearestRows(cellsOf(device, averaged, channels), rows, 1).squaredDistances));
    }
    const distances = Float32Array.from({ length: cells * cells }, (_, cell) =>
      Math.sqrt(Math.min(...parts.map((part) => part[cell]!))),
    );
    const result = await smoothed(device, distances, cells, size);
    scored.push({ ...result, path, defective, mask, width: size, height: size });
    if (scored.length % 20 === 0) console.error(`nearest neighbours of ${scored.length} of ${test.length} images`);
  }
  bank.forEach(release);
  return scored;
}

const cellsOf = (device: Device, averaged: Float32Array, channels: number): Tensor =>
  fromArray(device, [averaged.length / channels, channels], averaged);

async function averagedCells(
  device: Device,
  images: readonly Float32Array[],
  { cells, channels, scales }: FeatureSet,
  window: number,
): Promise<Float32Array> {
  using _scope = device.scope();
  const all = new Float32Array(images.length * cells * cells * channels);
  images.forEach((values, i) => all.set(values, i * values.length));
  const features = fromArray(device, [images.length, cells, cells, channels], all);
  const scaled = multiply(features, fromArray(device, [channels], scales));
  return toArray(averagePool(scaled, window, { stride: 1, padding: (window - 1) / 2, countIncludePad: false }));
}

async function smoothed(
  device: Device,
  distances: Float32Array,
  cells: number,
  size: number,
): Promise<Pick<Scored, "map" | "score" | "peak">> {
  using _scope = device.scope({ awaits: true });
  const half = Math.round((21 * size) / 448 - 0.5);
  const window = Math.max(1, Math.round((32 * size) / 224));
  const pixels = resize(fromArray(device, [1, cells, cells, 1], distances), [size, size], { alignCorners: true });
  const map = averagePool(pixels, 2 * half + 1, { stride: 1, padding: half, countIncludePad: false });
  const means = averagePool(map, window, { stride: 1 });
  const [values, scores, peaks] = await Promise.all([
    toArray(map),
    toArray(max(means, [1, 2, 3])),
    toArray(max(map, [1, 2, 3])),
  ]);
  return { map: values, score: scores[0]!, peak: peaks[0]! };
}
