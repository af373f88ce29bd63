import { nearestRows } from "../ops/nearest_rows.ts";
import { reshape } from "../ops/shape.ts";
import type { Device } from "../runtime/device.ts";
import { RandomStream } from "../tensor/random.ts";
import { countOf, fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";
import type { TrainingSample } from "./folds.ts";

const MOST_ROWS = 8192; // of other images, that a cell is compared with
/**
 * The others are divided into so many groups, and the middle one of the distances to them counts: a defect that two
 * images share does not hide both. On images without such twins it does as well as the plain distance
 * (docs/notes/suspects.md).
 */
const GROUPS = 3;
const TOP_SHARE = 0.01; // of an image's cells, whose mean distance is the image's
const STREAM = 1;

/** Distance of an image from the other good ones of its class. */
export interface Unlikeness {
  /** Distance of its strangest cells from cells of other images, in units of that of the class's middle image. */
  readonly ratio: number;
  /** `[H * W]`: distance of each cell, in the same units; of each tile in turn, where an image has tiles. */
  readonly cells: Float32Array;
}

/** Features of some good images, on the host. */
interface Member {
  readonly sample: TrainingSample;
  /** Some of its cells, `[rows, C]`. */
  readonly rows: Float32Array;
}

/** Gives `[1, H, W, C]` of what lies at an index of the store, the caller's to release. */
type ReadFeatures = (index: number) => Promise<Tensor>;

/**
 * Compares each good image with the others of its class, cell by cell: images that show what no other shows are far
 * from them. A class of one image has ratio 1.
 * @param onImage called after each image, and may throw to end it
 */
export async function compareWithOthers(
  device: Device,
  samples: readonly TrainingSample[],
  features: ReadFeatures,
  onImage: (done: number) => void = () => undefined,
): Promise<Map<TrainingSample, Unlikeness>> {
  const found = new Map<TrainingSample, Unlikeness>();
  for (const className of new Set(samples.map((sample) => sample.className))) {
    const members = samples.filter((sample) => sample.className === className);
    const all: Member[] = [];
    for (const sample of members) {
      const { views } = sample;
      const wanted = Math.floor(MOST_ROWS / members.length / views.length);
      const rows: Float32Array[] = [];
      for (const { index } of views) rows.push(await someRows(index, features, wanted));
      all.push({ sample, rows: joined(rows) });
    }
    const distances = new Map<TrainingSample, Float32Array>();
    for (const { sample } of all) {
      distances.set(sample, await distancesTo(device, sample, all, features));
      onImage(found.size + distances.size);
    }
    const typical = middle([...distances.values()].map(topMean)) || 1; // 0 where most are copies of another
    for (const [sample, cells] of distances)
      found.set(sample, {
        ratio: members.length === 1 ? 1 : topMean(cells) / typical,
        cells: cells.map((cell) => cell / typical),
      });
  }
  return found;
}

/** Draws so many of the cells at an index, at least one. */
async function someRows(index: number, features: ReadFeatures, wanted: number): Promise<Float32Array> {
  const tensor = await features(index);
  const channels = tensor.shape.at(-1)!;
  const cells = countOf(tensor.shape) / channels;
  const reading = toArray(tensor);
  release(tensor);
  const values = await reading;
  const chosen = new RandomStream(index, STREAM).permutation(cells).slice(0, Math.max(1, wanted));
  const rows = new Float32Array(chosen.length * channels);
  chosen.forEach((cell, i) => rows.set(values.subarray(cell * channels, (cell + 1) * channels), i * channels));
  return rows;
}

/** The middle one of each cell's distances to the groups of other images; 0 where there are none. */
async function distancesTo(
  device: Device,
  sample: TrainingSample,
  all: readonly Member[],
  features: ReadFeatures,
): Promise<Float32Array> {
  const others = all.filter((member) => member.sample !== sample);
  const groups = Array.from({ length: Math.min(GROUPS, others.length) }, (_, g) =>
    joined(others.filter((_other, i) => i % GROUPS === g).map(({ rows }) => rows)),
  );
  const cells: Float32Array[] = [];
  for (const { index } of sample.views) cells.push(await cellDistances(device, await features(index), groups));
  return joined(cells);
}

/**
 * The same for the cells of one view.
 * @param tensor `[1, H, W, C]`, which is released
 * @param groups of rows, `[rows, C]` each
 */
async function cellDistances(device: Device, tensor: Tensor, groups: readonly Float32Array[]): Promise<Float32Array> {
  const channels = tensor.shape.at(-1)!;
  const cells = countOf(tensor.shape) / channels;
  const distances = groups.map((rows) =>
    device.tidy(() => {
      const bank = fromArray(device, [rows.length / channels, channels], rows);
      return nearestRows(reshape(tensor, [cells, channels]), bank, 1).squaredDistances;
    }),
  );
  const reads = distances.map((squares) => toArray(squares));
  [tensor, ...distances].forEach(release);
  const squares = await Promise.all(reads);
  return Float32Array.from({ length: cells }, (_, cell) => Math.sqrt(middle(squares.map((group) => group[cell]!))));
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function topMean(cells: Float32Array): number {
  const top = cells
    .slice()
    .sort()
    .slice(-Math.max(1, Math.round(TOP_SHARE * cells.length)));
  return top.reduce((sum, value) => sum + value, 0) / top.length;
}

/** The lower median; 0 of nothing. */
const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? 0;
