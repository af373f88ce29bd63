import { connectedRegions } from "../metrics/regions.ts";
import { nonFinite } from "../tensor/finite.ts";
import { InputError, OptionError, ShapeError } from "../runtime/errors.ts";
import { EnlargedMap, type AnomalyMap } from "../io/anomaly_map.ts";
import type { Size } from "../io/placement.ts";

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
export interface Defects {
  /** Row-major, of the picture's size: 1 in a defect, else 0. */
  readonly mask: Uint8Array;
  /** In the order of their first pixels. */
  readonly defects: readonly Defect[];
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
 * pixels above it that touch, also at corners, are one defect.
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
  const {
    map,
    photograph: { width, height },
    placement,
  } = inspection;
  const wrong = nonFinite(map);
  if (wrong) throw new InputError(`defectsOf: the anomaly map holds ${wrong}; it must be finite`);
  if (counted && counted.length !== width * height) {
    throw new ShapeError(`defectsOf: expected counted to have ${width} x ${height} pixels, got ${counted.length}`);
  }
  const enlarged = new EnlargedMap(inspection);
  const mask = new Uint8Array(width * height);
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = placement.source.top; y < placement.source.top + placement.source.height; y++) {
    const [first, end] = enlarged.spanAbove(y, threshold);
    for (let x = first; x < end; x++) {
      const at = y * width + x;
      if (!(enlarged.at(x, y) > threshold) || counted?.[at] === 0) continue;
      mask[at] = 1;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.min(top, y), y + 1];
    }
  }
  if (right === 0) return { mask, defects: [] };
  // Only the part that has defects is searched for regions: a picture is large, and most of it is good.
  const part = { left, top, width: right - left, height: bottom - top };
  const crop = new Uint8Array(part.width * part.height);
  for (let y = 0; y < part.height; y++) {
    const from = (top + y) * width + left;
    crop.set(mask.subarray(from, from + part.width), y * part.width);
  }
  const { labels, count } = connectedRegions(crop, part.width, part.height);
  const regions = Array.from({ length: count }, () => ({
    left: width,
    top: height,
    right: 0,
    bottom: 0,
    area: 0,
    peak: 0,
  }));
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === 0) continue;
    const region = regions[labels[i]! - 1]!;
    const [x, y] = [left + (i % part.width), top + Math.floor(i / part.width)];
    region.area++;
    region.peak = Math.max(region.peak, enlarged.at(x, y));
    [region.left, region.right] = [Math.min(region.left, x), Math.max(region.right, x + 1)];
    [region.top, region.bottom] = [Math.min(region.top, y), Math.max(region.bottom, y + 1)];
  }
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && regions[labels[i]! - 1]!.area < minArea)
      mask[(top + Math.floor(i / part.width)) * width + left + (i % part.width)] = 0;
  }
  const defects = regions.flatMap((region, index): Defect[] => {
    if (region.area < minArea) return [];
    const isInside = (x: number, y: number): boolean => labels[(y - top) * part.width + (x - left)] === index + 1;
    const bbox = [region.left, region.top, region.right - region.left, region.bottom - region.top] as const;
    return [{ bbox, area: region.area, peak: region.peak, runs: runsOf(bbox, { width, height }, isInside) }];
  });
  return { mask, defects };
}

/** A region's runs, column by column; the first is outside. */
function runsOf(
  [left, top, columns, rows]: Defect["bbox"],
  { width, height }: Size,
  isInside: (x: number, y: number) => boolean,
): number[] {
  const runs = [0];
  const add = (pixels: number, inside: boolean): void => {
    if (pixels === 0) return;
    if (inside !== (runs.length % 2 === 0)) runs.push(0);
    runs[runs.length - 1]! += pixels;
  };
  add(left * height, false);
  for (let x = left; x < left + columns; x++) {
    add(top, false);
    for (let y = top; y < top + rows; y++) add(1, isInside(x, y));
    add(height - top - rows, false);
  }
  add((width - left - columns) * height, false);
  return runs;
}
