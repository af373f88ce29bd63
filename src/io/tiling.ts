import type { Rectangle, Size } from "./placement.ts";

/** The way in which photographs are cut into square tiles. */
export interface Tiling {
  /** Side of a tile, pixels of the photograph. */
  readonly tile: number;
  /** Pixels that neighbouring tiles share, at least. */
  readonly overlap: number;
}

/** Smallest and largest side of a tile, pixels. */
export const TILE_SIDES = { least: 32, most: 16_384 } as const;

const MOST_ENLARGED = 4; // beyond it a tile shows nothing that a smaller input would not

/**
 * The reason why tiles cannot be used, with its remedy; null if they can.
 * @param size side of the square that each is resized to, pixels
 */
export function tilingProblem({ tile, overlap }: Tiling, size: number): string | null {
  const { least, most } = TILE_SIDES;
  if (!(Number.isSafeInteger(tile) && tile >= least && tile <= most))
    return `expected tile to be a whole number from ${least} to ${most}, got ${tile}`;
  const half = Math.floor(tile / 2);
  if (!(Number.isSafeInteger(overlap) && overlap >= 0 && overlap <= half))
    return `expected overlap to be a whole number from 0 to half of the tile (${half}), got ${overlap}`;
  if (size > MOST_ENLARGED * tile) {
    const larger = Math.ceil(size / MOST_ENLARGED);
    return `a tile of ${tile} pixels would be enlarged more than ${MOST_ENLARGED} times to ${size}: use a tile of at least ${larger}, or a smaller input size`;
  }
  return null;
}

/**
 * First pixels of the tiles along an axis: `tile - overlap` apart, the last one moved inward so that it is full. Where
 * a tile is longer than the axis, one tile begins at 0 and reaches beyond its end.
 * @param extent pixels of the photograph along the axis
 */
export function tileStarts(extent: number, { tile, overlap }: Tiling): readonly number[] {
  const step = tile - overlap;
  const count = Math.max(0, Math.ceil((extent - tile) / step)) + 1;
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(i * step, extent - tile)));
}

/** The tiles of a photograph, row by row. They may reach beyond a photograph that is smaller than a tile. */
export function tilesOf({ width, height }: Size, tiling: Tiling): readonly Rectangle[] {
  const square = { width: tiling.tile, height: tiling.tile };
  const lefts = tileStarts(width, tiling);
  return tileStarts(height, tiling).flatMap((top) => lefts.map((left) => ({ left, top, ...square })));
}

/** The part of a rectangle that lies within a photograph. */
export function withinPicture({ left, top, width, height }: Rectangle, picture: Size): Rectangle {
  return { left, top, width: Math.min(width, picture.width - left), height: Math.min(height, picture.height - top) };
}
