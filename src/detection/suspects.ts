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

/** A photograph: its sample, or those of its tiles. */
type Photograph = readonly TrainingSample[];

/** Features of some good images, on the host. */
interface Member {
  readonly photograph: Photograph;
  /** Some of its cells, `[rows, C]`. */
  readonly rows: Float32Array;
}

/**
 * Compares each good image with the others of its class, cell by cell: images that show what no other shows are far
 * from them. A class of one image has ratio 1.
 * @param features gives `[1, H, W, C]` of an image or a tile, the caller's to release
 * @param onImage called after each image, and may throw to end it
 */
export async function compareWithOthers(
  device: Device,
  photographs: readonly Photograph[],
  features: (sample: TrainingSample) => Promise<Tensor>,
  onImage: (done: number) => void = () => undefined,
): Promise<Map<Photograph, Unlikeness>> {
  const found = new Map<Photograph, Unlikeness>();
  for (const className of new Set(photographs.map(classOf))) {
    const members = photographs.filter((photograph) => classOf(photograph) === className);
    const all: Member[] = [];
    for (const photograph of members) {
      const wanted = Math.floor(MOST_ROWS / members.length / photograph.length);
      const rows: Float32Array[] = [];
      for (const sample of photograph) rows.push(await someRows(sample, features, wanted));
      all.push({ photograph, rows: joined(rows) });
    }
    const distances = new Map<Photograph, Float32Array>();
    for (const { photograph } of all) {
      distances.set(photograph, await distancesTo(device, photograph, all, features));
      onImage(found.size + distances.size);
    }
    const typical = middle([...distances.values()].map(topMean)) || 1; // 0 where most are copies of another
    for (const [photograph, cells] of distances)
      found.set(photograph, {
        ratio: members.length === 1 ? 1 : topMean(cells) / typical,
        cells: cells.map((cell) => cell / typical),
      });
  }
  return found;
}

const classOf = ([first]: Photograph): string => first!.className;

/** Draws so many of a sample's cells, at least one. */
async function someRows(
  sample: TrainingSample,
  features: (sample: TrainingSample) => Promise<Tensor>,
  wanted: number,
): Promise<Float32Array> {
  const tensor = await features(sample);
  const channels = tensor.shape.at(-1)!;
  const cells = countOf(tensor.shape) / channels;
  const reading = toArray(tensor);
  release(tensor);
  const values = await reading;
  const chosen = new RandomStream(sample.index, STREAM).permutation(cells).slice(0, Math.max(1, wanted));
  const rows = new Float32Array(chosen.length * channels);
  chosen.forEach((cell, i) => rows.set(values.subarray(cell * channels, (cell + 1) * channels), i * channels));
  return rows;
}

/** The middle one of each cell's distances to the groups of other images; 0 where there are none. */
async function distancesTo(
  device: Device,
  photograph: Photograph,
  all: readonly Member[],
  features: (sample: TrainingSample) => Promise<Tensor>,
): Promise<Float32Array> {
  const others = all.filter((member) => member.photograph !== photograph);
  const groups = Array.from({ length: Math.min(GROUPS, others.length) }, (_, g) =>
    joined(others.filter((_other, i) => i % GROUPS === g).map(({ rows }) => rows)),
  );
  const cells: Float32Array[] = [];
  for (const sample of photograph) cells.push(await cellDistances(device, await features(sample), groups));
  return joined(cells);
}

/**
 * The same for the cells of one sample.
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
