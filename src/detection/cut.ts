import { readPart, type DecodedImage, type Picture } from "../io/image.ts";
import type { Rectangle, Size } from "../io/placement.ts";
import { tilesOf, withinPicture } from "../io/tiling.ts";
import { mapPlacementOf, mapSizeOf, type DetectorInput } from "./input.ts";
import { PictureRegion, requireRegionOf } from "./region.ts";

/** The input of a detector that scores photographs by their tiles. */
export type TiledInput = DetectorInput & Required<Pick<DetectorInput, "tiles">>;

/** True for the input of a detector with tiles. */
export const isTiled = (input: DetectorInput): input is TiledInput => input.tiles !== undefined;

/** A tile of a photograph. */
export interface Tile {
  /** Its place, which may reach beyond a photograph that is smaller than a tile. */
  readonly place: Rectangle;
  /** `[size, size]`, of the detector's input: 1 where its map counts; null if all of it does. */
  readonly counted: Uint8Array | null;
}

/** A photograph cut into tiles, those without any pixel that counts left out. */
export interface Cut {
  readonly photograph: Size;
  readonly region: PictureRegion | null;
  readonly tiles: readonly Tile[];
  /** True if something of the photograph, or of a tile, does not count. */
  readonly inParts: boolean;
  /** Size of the photograph's map. */
  readonly map: Size;
  /** `[height, width]`: 1 where the map counts; null if all of it does. */
  readonly counted: Uint8Array | null;
}

/**
 * Cuts a photograph into tiles. There are none if no pixel of its region is left in its map.
 * @throws OptionError for a region of another size
 */
export function cutOf(photograph: Size, region: PictureRegion | null, input: TiledInput): Cut {
  if (region) requireRegionOf(region, photograph);
  const map = mapSizeOf(input, photograph);
  const counted = region?.inMap(mapPlacementOf(input, photograph, map), map) ?? null;
  const places = tilesOf(photograph, input.tiles);
  const tiles = places
    .map((place): Tile => ({ place, counted: countedIn(place, photograph, region, input) }))
    .filter((tile) => tile.counted?.includes(1) !== false);
  const inParts = tiles.length < places.length || tiles.some((tile) => tile.counted !== null);
  return { photograph, region, tiles: counted?.includes(1) === false ? [] : tiles, inParts, map, counted };
}

/** The pixels of a tile's map whose nearest pixel of the photograph counts; null if all do. */
function countedIn(
  { left, top, width, height }: Rectangle,
  photograph: Size,
  region: PictureRegion | null,
  { size }: DetectorInput,
): Uint8Array | null {
  if (!region && left + width <= photograph.width && top + height <= photograph.height) return null;
  const counted = new Uint8Array(size * size);
  for (let v = 0; v < size; v++) {
    const y = top + Math.floor(((v + 0.5) * height) / size);
    if (y >= photograph.height) break;
    for (let u = 0; u < size; u++) {
      const x = left + Math.floor(((u + 0.5) * width) / size);
      if (x < photograph.width) counted[v * size + u] = region ? region.counted[y * photograph.width + x]! : 1;
    }
  }
  return counted.includes(0) ? counted : null;
}

/** The pixels that count in the maps of some of a cut's tiles, `[N, size, size]`; null if all do in all of its tiles. */
export function countedInTiles(tiles: readonly Tile[], { tiles: all }: Cut, size: number): Float32Array | null {
  if (all.every(({ counted }) => counted === null)) return null;
  const counted = new Float32Array(tiles.length * size ** 2).fill(1);
  tiles.forEach((tile, i) => tile.counted && counted.set(tile.counted, i * size ** 2));
  return counted;
}

/**
 * Reads a tile of a photograph, with mirror images of what counts in the place of what does not, or lies outside the
 * photograph.
 */
export async function readTile(picture: Picture, { place }: Tile, region: PictureRegion | null): Promise<DecodedImage> {
  const part = withinPicture(place, picture);
  const image = await readPart(picture, part);
  const { width, height } = place;
  const isWhole = part.width === width && part.height === height;
  if (isWhole && !region) return image;
  const counted = new Uint8Array(width * height);
  for (let y = 0; y < part.height; y++) {
    const from = (part.top + y) * picture.width + part.left;
    if (region) counted.set(region.counted.subarray(from, from + part.width), y * width);
    else counted.fill(1, y * width, y * width + part.width);
  }
  if (!counted.includes(0)) return image;
  return new PictureRegion(counted, place).shown(isWhole ? image : enlarged(image, place));
}

/** An image at the upper left of a larger one. */
function enlarged({ width, height, data }: DecodedImage, size: Size): DecodedImage {
  const larger = new Uint8Array(4 * size.width * size.height);
  for (let y = 0; y < height; y++) larger.set(data.subarray(4 * y * width, 4 * (y + 1) * width), 4 * y * size.width);
  return { width: size.width, height: size.height, data: larger };
}

const KEPT = 4; // cuts: of a few sizes

/** Cuts photographs into tiles; those of equal sizes and regions share the cut. */
export class Cutter {
  readonly #input: TiledInput;
  readonly #cuts: Cut[] = [];

  constructor(input: TiledInput) {
    this.#input = input;
  }

  /** The tiles of a photograph of this size. @throws as `cutOf` */
  of({ width, height }: Size, region: PictureRegion | null): Cut {
    const known = this.#cuts.find(
      ({ photograph, region: own }) => photograph.width === width && photograph.height === height && own === region,
    );
    if (known) return known;
    const cut = cutOf({ width, height }, region, this.#input);
    this.#cuts.push(cut);
    if (this.#cuts.length > KEPT) this.#cuts.shift();
    return cut;
  }
}
