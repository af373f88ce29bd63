import type { Placement, Size } from "./placement.ts";

/** An anomaly map, and its place in its photograph. An `Inspection` is one. */
export interface AnomalyMap {
  /** The photograph's own size, pixels. */
  readonly photograph: Size;
  /** `[height, width]` of `size`, row-major: the anomaly of each pixel of the map; finite and at least 0. */
  readonly map: Float32Array;
  readonly size: Size;
  /** The part of the photograph that the map shows, and where it lies in the map. */
  readonly placement: Placement;
}

/** A map between the pixels of a picture: bilinear, pixel centres at halves, the outermost value beyond them. */
export class EnlargedMap {
  readonly #map: Float32Array;
  readonly #width: number; // of the map
  readonly #placement: Placement;
  readonly #rowPeaks: Float32Array;

  constructor({ map, size, placement }: AnomalyMap) {
    this.#map = map;
    this.#width = size.width;
    this.#placement = placement;
    this.#rowPeaks = Float32Array.from({ length: size.height }, (_, y) =>
      map.subarray(y * size.width, (y + 1) * size.width).reduce((a, b) => Math.max(a, b)),
    );
  }

  /** At a pixel of the picture that is placed in the map. */
  at(x: number, y: number): number {
    const { source, target } = this.#placement;
    const [u, v] = [
      positionOf(x, source.left, source.width, target.left, target.width),
      positionOf(y, source.top, source.height, target.top, target.height),
    ];
    const [u0, v0] = [Math.floor(u), Math.floor(v)];
    const u1 = Math.min(u0 + 1, target.left + target.width - 1);
    const [above, below] = [v0 * this.#width, Math.min(v0 + 1, target.top + target.height - 1) * this.#width];
    const upper = this.#map[above + u0]! + (this.#map[above + u1]! - this.#map[above + u0]!) * (u - u0);
    const lower = this.#map[below + u0]! + (this.#map[below + u1]! - this.#map[below + u0]!) * (u - u0);
    return upper + (lower - upper) * (v - v0);
  }

  /** The columns of a row outside of which no value can exceed a threshold, as none of the map's around it does. */
  spanAbove(y: number, threshold: number): readonly [first: number, end: number] {
    const { source, target } = this.#placement;
    const v0 = Math.floor(positionOf(y, source.top, source.height, target.top, target.height));
    const v1 = Math.min(v0 + 1, target.top + target.height - 1);
    if (!(this.#rowPeaks[v0]! > threshold || this.#rowPeaks[v1]! > threshold)) return [0, 0];
    let [first, last] = [this.#width, -1];
    for (let u = target.left; u < target.left + target.width; u++) {
      if (!(this.#map[v0 * this.#width + u]! > threshold || this.#map[v1 * this.#width + u]! > threshold)) continue;
      first = Math.min(first, u);
      last = u;
    }
    if (last < 0) return [0, 0]; // what exceeds it is no part of the picture
    const scale = source.width / target.width;
    const columnOf = (u: number): number => source.left + (u + 0.5 - target.left) * scale;
    const end = source.left + source.width;
    return [
      Math.max(source.left, Math.floor(columnOf(first - 1)) - 1),
      Math.min(end, Math.ceil(columnOf(last + 1)) + 1),
    ];
  }
}

/**
 * Enlarges a map to its photograph's own size, bilinearly.
 * @returns `[height, width]`, row-major; 0 where the map shows nothing of the photograph
 */
export function enlargeMap(anomaly: AnomalyMap): Float32Array {
  const {
    photograph: { width, height },
    placement: { source },
  } = anomaly;
  const enlarged = new EnlargedMap(anomaly);
  const values = new Float32Array(width * height);
  for (let y = source.top; y < source.top + source.height; y++)
    for (let x = source.left; x < source.left + source.width; x++) values[y * width + x] = enlarged.at(x, y);
  return values;
}

/**
 * Maps a pixel of the picture to an axis of the map, clamped to the first and last of the map's pixels that show
 * it.
 */
export function positionOf(pixel: number, from: number, extent: number, to: number, toExtent: number): number {
  return Math.min(Math.max(to + ((pixel - from + 0.5) * toExtent) / extent - 0.5, to), to + toExtent - 1);
}
