import type { Size } from "../io/placement.ts";
import type { Scoring } from "../methods/method.ts";
import { REFERENCE_SIZE } from "./scoring.ts";

/** A map of a whole photograph, of whatever shape. */
export interface ScoredPhotograph {
  readonly map: Float32Array;
  readonly size: Size;
  /** `[height, width]`: 1 where pixels count, the others are 0 in the map; null if all do. */
  readonly counted: Uint8Array | null;
  /** Side of a tile in pixels of the map: extents and shares of the scoring are of a tile. */
  readonly tileSide: number;
}

/**
 * The image's score of a whole photograph's map, by the rule that `imageScores` has for an image on the device. A share
 * of the largest values is as many pixels as it is of a tile: a defect has the same weight however large its photograph
 * is.
 */
export function wholeScore(photograph: ScoredPhotograph, image: Exclude<Scoring["image"], { kind: "cells" }>): number {
  const { map, tileSide } = photograph;
  switch (image.kind) {
    case "max":
      return largestOf(map);
    case "topShare":
      return topMean(photograph, Math.max(1, Math.round(image.share * tileSide ** 2)));
    case "windowMean":
      return largestWindowMean(photograph, Math.max(1, Math.round((image.side * tileSide) / REFERENCE_SIZE)));
  }
}

/** The largest value of a map, which has none below 0. */
export const largestOf = (map: Float32Array): number => {
  let largest = 0;
  for (const value of map) if (value > largest) largest = value;
  return largest;
};

/** The mean of the largest `most` values, or of all that count where these are fewer. */
function topMean({ map, counted }: ScoredPhotograph, most: number): number {
  const pixels = counted ? counted.reduce((sum, one) => sum + one, 0) : map.length;
  const top = new Float32Array(Math.min(most, pixels)); // a heap: the least of them is first
  let taken = 0;
  for (let i = 0; i < map.length; i++) {
    if (counted?.[i] === 0) continue;
    const value = map[i]!;
    if (taken < top.length) rise(top, taken++, value);
    else if (value > top[0]!) sink(top, value);
  }
  return top.reduce((sum, value) => sum + value, 0) / top.length;
}

function rise(heap: Float32Array, at: number, value: number): void {
  for (let parent = (at - 1) >> 1; at > 0 && heap[parent]! > value; at = parent, parent = (at - 1) >> 1)
    heap[at] = heap[parent]!;
  heap[at] = value;
}

function sink(heap: Float32Array, value: number): void {
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = value;
}

/**
 * The largest mean over a window inside the map; over all of the map along an axis that is shorter. If less than half
 * of a window counts, its sum is divided by half of its pixels; if no window reaches half, by the largest count of any.
 */
function largestWindowMean({ map, size, counted }: ScoredPhotograph, window: number): number {
  const [width, height] = [Math.min(window, size.width), Math.min(window, size.height)];
  const pixels = width * height;
  let enough = pixels;
  if (counted) {
    let most = 0;
    eachWindow(counted, null, size, { width, height }, (sum) => (most = Math.max(most, sum)));
    enough = Math.min(most, pixels / 2);
  }
  let largest = 0;
  eachWindow(map, counted, size, { width, height }, (sum, count) => {
    const mean = sum / Math.max(counted ? count : pixels, enough);
    if (mean > largest) largest = mean;
  });
  return largest;
}

/** Visits the windows inside a map with the sums of both maps in it; 0 for a second that is null. */
function eachWindow(
  first: Float32Array | Uint8Array,
  second: Uint8Array | null,
  { width, height }: Size,
  box: Size,
  visit: (first: number, second: number) => void,
): void {
  const [sums, counts] = [new Float64Array(width), new Float64Array(width)]; // of the window's rows, by column
  for (let y = 0; y < height; y++) {
    const gone = y - box.height;
    for (let x = 0; x < width; x++) {
      sums[x]! += first[y * width + x]! - (gone < 0 ? 0 : first[gone * width + x]!);
      if (second) counts[x]! += second[y * width + x]! - (gone < 0 ? 0 : second[gone * width + x]!);
    }
    if (gone < -1) continue;
    let [sum, count] = [0, 0];
    for (let x = 0; x < width; x++) {
      const left = x - box.width;
      sum += sums[x]! - (left < 0 ? 0 : sums[left]!);
      count += counts[x]! - (left < 0 ? 0 : counts[left]!);
      if (left >= -1) visit(sum, count);
    }
  }
}
