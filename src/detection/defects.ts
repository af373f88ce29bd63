import { nonFinite } from "../tensor/finite.ts";
import { InputError, OptionError, ShapeError } from "../runtime/errors.ts";
import { EnlargedMap, type AnomalyMap } from "../io/anomaly_map.ts";
import type { Size } from "../io/placement.ts";
import { regionsOf, type Run } from "./runs.ts";

/** A connected part of a picture whose anomaly is above a threshold. */
export interface Defect {
  /** Left, top, width, height, in pixels of the picture. */
  readonly bbox: readonly [left: number, top: number, width: number, height: number];
  /** Its pixels. */
  readonly area: number;
  /** The largest value of the map in it. */
  readonly peak: number;
  /**
   * Lengths of runs outside and inside in turn, down the picture's columns, one column after another: COCO's
   * uncompressed RLE.
   */
  readonly runs: readonly number[];
}

/** The defective pixels of a picture. */
export class Defects {
  /** In the order of their first pixels. */
  readonly defects: readonly Defect[];
  readonly #picture: Size;
  /** The runs of all defects, row by row. */
  readonly #runs: readonly Run[];

  /** @internal */
  constructor(picture: Size, defects: readonly Defect[], runs: readonly Run[]) {
    [this.#picture, this.defects, this.#runs] = [picture, defects, runs];
  }

  /** Row-major, of the picture's size: 1 in a defect, else 0. Made anew each time. */
  get mask(): Uint8Array {
    return this.maskRows(0, this.#picture.height);
  }

  /** So many rows of the mask, from one on. */
  maskRows(top: number, height: number): Uint8Array {
    const { width } = this.#picture;
    const rows = new Uint8Array(width * height);
    for (let i = firstFrom(this.#runs, top); i < this.#runs.length && this.#runs[i]!.y < top + height; i++) {
      const { y, first, end } = this.#runs[i]!;
      rows.fill(1, (y - top) * width + first, (y - top) * width + end);
    }
    return rows;
  }
}

/** The index of the first run in a row or below it. */
function firstFrom(runs: readonly Run[], y: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle]!.y < y) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Options of finding defects. */
export interface DefectOptions {
  /** The value of the map above which a pixel is defective, as `Calibration.pixelThreshold`. */
  readonly threshold: number;
  /** Smallest area of a defect, pixels; smaller ones are ignored. */
  readonly minArea?: number;
  /** Row-major, of the picture's size: 1 where defects count; null for everywhere. */
  readonly counted?: Uint8Array | null;
}

/**
 * Finds the defects in a picture at its own size: the map is enlarged bilinearly and compared with the threshold;
 * pixels above it that touch, also at corners, are one defect. Memory depends on the defects, not on the picture.
 *
 * @param inspection the detector's result for the picture
 * @throws OptionError for a threshold or area out of range; ShapeError if `counted` has another size than the picture;
 * InputError for a map that is not finite
 */
export function defectsOf(inspection: AnomalyMap, { threshold, minArea = 1, counted = null }: DefectOptions): Defects {
  if (!(threshold > 0 && threshold < Infinity && minArea >= 1)) {
    throw new OptionError(
      `defectsOf: expected a finite threshold > 0 and minArea >= 1, got ${threshold} and ${minArea}`,
    );
  }
  const { map, photograph, placement } = inspection;
  const { width, height } = photograph;
  const wrong = nonFinite(map);
  if (wrong) throw new InputError(`defectsOf: the anomaly map holds ${wrong}; it must be finite`);
  if (counted && counted.length !== width * height) {
    throw new ShapeError(`defectsOf: expected counted to have ${width} x ${height} pixels, got ${counted.length}`);
  }
  const enlarged = new EnlargedMap(inspection);
  const runs: Run[] = [];
  for (let y = placement.source.top; y < placement.source.top + placement.source.height; y++) {
    const [first, end] = enlarged.spanAbove(y, threshold);
    let run: { y: number; first: number; end: number; peak: number } | null = null;
    for (let x = first; x < end; x++) {
      const value = enlarged.at(x, y);
      if (!(value > threshold) || counted?.[y * width + x] === 0) run = null;
      else if (run) [run.end, run.peak] = [x + 1, Math.max(run.peak, value)];
      else runs.push((run = { y, first: x, end: x + 1, peak: value }));
    }
  }
  const kept: Run[] = [];
  const defects = regionsOf(runs).flatMap((region): Defect[] => {
    const area = region.reduce((sum, { first, end }) => sum + end - first, 0);
    if (area < minArea) return [];
    for (const run of region) kept.push(run);
    return [defectOf(region, area, photograph)];
  });
  return new Defects(
    photograph,
    defects,
    kept.sort((a, b) => a.y - b.y || a.first - b.first),
  );
}

function defectOf(region: readonly Run[], area: number, picture: Size): Defect {
  let [left, right, peak] = [picture.width, 0, 0];
  for (const run of region) {
    [left, right] = [Math.min(left, run.first), Math.max(right, run.end)];
    peak = Math.max(peak, run.peak);
  }
  const top = region[0]!.y;
  const bbox = [left, top, right - left, region.at(-1)!.y + 1 - top] as const;
  return { bbox, area, peak, runs: columnRuns(bbox, picture, region) };
}

/** A region's runs, column by column; the first is outside. */
function columnRuns(
  [left, top, columns, rows]: Defect["bbox"],
  { width, height }: Size,
  region: readonly Run[],
): number[] {
  const inside = new Uint8Array(columns * rows); // column by column
  for (const { y, first, end } of region) for (let x = first; x < end; x++) inside[(x - left) * rows + y - top] = 1;
  const runs = [0];
  const add = (pixels: number, isInside: boolean): void => {
    if (pixels === 0) return;
    if (isInside !== (runs.length % 2 === 0)) runs.push(0);
    runs[runs.length - 1]! += pixels;
  };
  add(left * height, false);
  for (let x = 0; x < columns; x++) {
    add(top, false);
    for (let y = 0; y < rows; y++) add(1, inside[x * rows + y] === 1);
    add(height - top - rows, false);
  }
  add((width - left - columns) * height, false);
  return runs;
}
