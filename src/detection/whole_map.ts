import type { Rectangle, Size } from "../io/placement.ts";
import { tileStarts, type Tiling } from "../io/tiling.ts";

/** Most pixels of a photograph's map: 64 MB. The map of a photograph that would have more is coarser. */
const MOST_PIXELS = 2 ** 24;

/**
 * The size of a photograph's map: its tiles' maps side by side, or less where that would be too many pixels.
 * @param side of a tile's map, pixels
 * @param most pixels of the map
 */
export function wholeMapSize(photograph: Size, { tile }: Tiling, side: number, most = MOST_PIXELS): Size {
  const scale = side / tile;
  const pixels = scale * photograph.width * (scale * photograph.height);
  const shrunk = scale * Math.min(1, Math.sqrt(most / pixels));
  const of = (extent: number): number => Math.max(1, Math.round(extent * shrunk));
  return { width: of(photograph.width), height: of(photograph.height) };
}

/** Pixels of a tile's map along an axis that make one of the whole map, times the tile's weight there. */
interface Taps {
  /** Index along the whole map. */
  readonly at: number;
  /** Index of the first of them. */
  readonly first: number;
  readonly weights: readonly number[];
}

/**
 * Puts the map of a photograph together from those of its tiles. A tile's weight falls off smoothly where a neighbour
 * overlaps it, and all weights at a pixel sum to 1; so do those of the tiles that are there, where some are left out.
 * Between the pixels of tiles that do not lie on the whole map's grid the values are interpolated linearly; a coarser
 * map has their means.
 */
export class WholeMap {
  readonly size: Size;
  readonly #side: number;
  readonly #map: Float32Array;
  /** The weights so far, where parts of tiles do not count or tiles are left out; else null. */
  readonly #weights: Float32Array | null;
  readonly #columns: ReadonlyMap<number, readonly Taps[]>;
  readonly #rows: ReadonlyMap<number, readonly Taps[]>;

  /**
   * @param side of a tile's map, pixels
   * @param size of the whole map, as `wholeMapSize` has it
   * @param inParts true if some of the photograph does not count
   */
  constructor(photograph: Size, tiling: Tiling, side: number, size: Size, inParts: boolean) {
    [this.size, this.#side] = [size, side];
    this.#map = new Float32Array(size.width * size.height);
    this.#weights = inParts ? new Float32Array(this.#map.length) : null;
    this.#columns = tapsAlong(photograph.width, size.width, tiling, side);
    this.#rows = tapsAlong(photograph.height, size.height, tiling, side);
  }

  /**
   * Adds a tile.
   * @param place the tile in the photograph, one of `tilesOf`
   * @param map `[side, side]`, 0 where pixels do not count
   * @param counted `[side, side]`: 1 where they do; null if all do
   */
  add({ left, top }: Pick<Rectangle, "left" | "top">, map: Float32Array, counted: Uint8Array | null): void {
    const [columns, rows] = [this.#columns.get(left)!, this.#rows.get(top)!];
    this.#blend(map, columns, rows, this.#map);
    if (this.#weights) this.#blend(counted ?? new Uint8Array(map.length).fill(1), columns, rows, this.#weights);
  }

  /**
   * The map of all that was added; this object is of no use afterwards.
   * @param counted `[height, width]`: 1 where pixels of the whole map count, the others are 0; null if all do
   */
  finish(counted: Uint8Array | null): Float32Array {
    const [map, weights] = [this.#map, this.#weights];
    if (weights)
      for (let i = 0; i < map.length; i++)
        map[i] = counted?.[i] === 0 || !(weights[i]! > 0) ? 0 : map[i]! / weights[i]!;
    return map;
  }

  #blend(from: ArrayLike<number>, columns: readonly Taps[], rows: readonly Taps[], into: Float32Array): void {
    const side = this.#side;
    const lines = new Float32Array(side * columns.length);
    for (let v = 0; v < side; v++) {
      for (let i = 0; i < columns.length; i++) {
        const { first, weights } = columns[i]!;
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * from[v * side + first + k]!;
        lines[v * columns.length + i] = sum;
      }
    }
    const left = columns[0]?.at ?? 0;
    for (const { at, first, weights } of rows) {
      const target = at * this.size.width + left;
      for (let i = 0; i < columns.length; i++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * lines[(first + k) * columns.length + i]!;
        into[target + i]! += sum;
      }
    }
  }
}

/**
 * The taps of each tile along an axis, by the tile's start.
 * @param extent pixels of the photograph
 * @param mapExtent pixels of the whole map
 */
function tapsAlong(
  extent: number,
  mapExtent: number,
  tiling: Tiling,
  side: number,
): ReadonlyMap<number, readonly Taps[]> {
  const starts = tileStarts(extent, tiling);
  const { tile } = tiling;
  const scale = side / tile;
  const reach = Math.max(1, (extent / mapExtent) * scale); // of a triangle filter, in pixels of a tile's map
  /** Share of the way through what two neighbours have in common; 1 where there is no neighbour, or nothing in common. */
  const shareOf = (way: number, one: number | undefined, next: number | undefined): number =>
    one === undefined || next === undefined || next >= one + tile ? 1 : way / (one + tile - next);
  const pixelAt = (at: number): number => ((at + 0.5) * extent) / mapExtent; // of the photograph
  const total = new Float64Array(mapExtent);
  const weights = starts.map((start, nth) => {
    const [before, after] = [starts[nth - 1], starts[nth + 1]];
    const first = Math.max(0, Math.ceil((start * mapExtent) / extent - 0.5));
    const own: number[] = [];
    for (let at = first; at < mapExtent && pixelAt(at) < start + tile; at++) {
      const pixel = pixelAt(at);
      own.push(
        smoothStep(Math.min(1, shareOf(pixel - start, before, start), shareOf(start + tile - pixel, start, after))),
      );
      total[at]! += own.at(-1)!;
    }
    return { start, first, own };
  });
  return new Map(
    weights.map(({ start, first, own }) => [
      start,
      own.map((weight, i): Taps => {
        const centre = (pixelAt(first + i) - start) * scale - 0.5;
        const from = Math.max(0, Math.floor(centre - reach) + 1);
        const to = Math.min(side - 1, Math.ceil(centre + reach) - 1);
        const taps: number[] = [];
        for (let u = from; u <= to; u++) taps.push(Math.max(0, 1 - Math.abs(u - centre) / reach));
        const sum = taps.reduce((all, one) => all + one, 0);
        const share = weight / total[first + i]!;
        return { at: first + i, first: from, weights: taps.map((tap) => (share * tap) / sum) };
      }),
    ]),
  );
}

/** Rises from 0 to 1 without a kink; at t and at 1 - t the values sum to 1. */
const smoothStep = (t: number): number => t * t * (3 - 2 * t);
