import type { Sample } from "../../src/metrics/evaluate.ts";
import { multiply, subtract } from "../../src/ops/elementwise.ts";
import { pointwiseConv2d } from "../../src/ops/matmul.ts";
import { averagePool } from "../../src/ops/pool.ts";
import { max } from "../../src/ops/reduce.ts";
import { resize } from "../../src/ops/resize.ts";
import { transpose } from "../../src/ops/shape.ts";
import type { Device } from "../../src/runtime/device.ts";
import { fromArray, release, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import type { FeatureClass, FeatureSet } from "./features.ts";

const IMAGES_A_PART = 16; // of the training set, whose distances are in memory at a time

/** A judged image with the two image scores in use. */
export interface Scored extends Sample {
  /** The largest value of the map; `score` is the largest mean over a window. */
  readonly peak: number;
}

/**
 * The plain baseline: a cell is as anomalous as its distance to the nearest cell of all training images. Maps are smoothed and scored
 * as GRAD's.
 * @param window features are averaged over so many x so many cells first, an odd number; 1: not at all
 */
export async function nearestNeighbours(device: Device, set: FeatureSet, { train, test }: FeatureClass, window: number): Promise<Scored[]> {
  const { cells, channels, size } = set;
  const bank: { readonly values: Tensor; readonly halfSquares: Tensor }[] = [];
  for (let i = 0; i < train.length; i += IMAGES_A_PART) bank.push(await partOf(device, train.slice(i, i + IMAGES_A_PART), set, window));
  const judged: Scored[] = [];
  for (const { defective, features, mask } of test) {
    const averaged = await averagedCells(device, [features], set, window);
    const similarities: Float32Array[] = [];
    for (const { values, halfSquares } of bank) {
      using _scope = device.scope({ awaits: true });
      const queries = fromArray(device, [cells * cells, channels], averaged);
      similarities.push(await toArray(max(subtract(pointwiseConv2d(queries, values), halfSquares), [1])));
    }
    const distances = new Float32Array(cells * cells);
    for (const cell of distances.keys()) {
      const square = squareOf(averaged.subarray(cell * channels, (cell + 1) * channels));
      // |a - b|^2 = |a|^2 - 2 (a b - |b|^2 / 2)
      distances[cell] = Math.sqrt(Math.max(0, square - 2 * Math.max(...similarities.map((part) => part[cell]!))));
    }
    judged.push({ ...(await smoothed(device, distances, cells, size)), defective, mask, width: size, height: size });
    if (judged.length % 20 === 0) console.error(`nearest neighbours of ${judged.length} of ${test.length} images`);
  }
  for (const { values, halfSquares } of bank) [values, halfSquares].forEach(release);
  return judged;
}

async function partOf(device: Device, images: readonly Float32Array[], set: FeatureSet, window: number) {
  const { channels } = set;
  const averaged = await averagedCells(device, images, set, window);
  const count = averaged.length / channels;
  const halfSquares = Float32Array.from({ length: count }, (_, i) => squareOf(averaged.subarray(i * channels, (i + 1) * channels)) / 2);
  using scope = device.scope();
  const values = scope.keep(transpose(fromArray(device, [count, channels], averaged), [1, 0]));
  return { values, halfSquares: scope.keep(fromArray(device, [1, count], halfSquares)) };
}

const squareOf = (vector: Float32Array): number => vector.reduce((sum, value) => sum + value ** 2, 0);

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

async function smoothed(device: Device, distances: Float32Array, cells: number, size: number): Promise<Pick<Scored, "map" | "score" | "peak">> {
  using _scope = device.scope({ awaits: true });
  const half = Math.round((21 * size) / 448 - 0.5);
  const window = Math.max(1, Math.round((32 * size) / 224));
  const pixels = resize(fromArray(device, [1, cells, cells, 1], distances), [size, size], { alignCorners: true });
  const map = averagePool(pixels, 2 * half + 1, { stride: 1, padding: half, countIncludePad: false });
  const means = averagePool(map, window, { stride: 1 });
  const [values, scores, peaks] = await Promise.all([toArray(map), toArray(max(means, [1, 2, 3])), toArray(max(map, [1, 2, 3]))]);
  return { map: values, score: scores[0]!, peak: peaks[0]! };
}
