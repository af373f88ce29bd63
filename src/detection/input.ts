import { placementOf, type Placement, type Resize, type Size } from "../io/placement.ts";
import type { Tiling } from "../io/tiling.ts";
import { wholeMapSize } from "./whole_map.ts";

/** The way in which a detector takes photographs. */
export interface DetectorInput {
  /** Side of the square that it sees, pixels. */
  readonly size: number;
  /** The way in which photographs, or their tiles, fill the square. */
  readonly resize: Resize;
  /** The tiles that photographs are cut into, each of which fills the square; absent where a whole photograph does. */
  readonly tiles?: Tiling;
}

/** A detector's input in words: "224 x 224 pixels, stretch". */
export function inputWords({ size, resize, tiles }: DetectorInput): string {
  if (!tiles) return `${size} x ${size} pixels, ${resize}`;
  const { tile, overlap } = tiles;
  return `tiles of ${tile} x ${tile} pixels, which share ${overlap}, resized to ${size} x ${size}`;
}

/** The size of a photograph's anomaly map. */
export const mapSizeOf = ({ size, tiles }: DetectorInput, photograph: Size): Size =>
  tiles ? wholeMapSize(photograph, tiles, size) : { width: size, height: size };

/**
 * The part of a picture that a detector sees, and its place in the map.
 * @param map the map's size. Default: that of the picture's own
 */
export const mapPlacementOf = (input: DetectorInput, picture: Size, map: Size = mapSizeOf(input, picture)): Placement =>
  placementOf(input.tiles ? "stretch" : input.resize, picture, map);
