import { maskFrom, type DecodedImage, type Picture } from "../io/image.ts";
import { InputError } from "../runtime/errors.ts";
import { placementOf, type Rectangle, type Resize } from "../io/placement.ts";

/** A real anomaly to learn from. */
export interface AnomalousImage {
  /** For errors: its file, say. */
  readonly name: string;
  readonly image: Picture;
  /** Pictures of the image's shape, each marking a pixel where red, green or blue is not 0. */
  readonly masks: readonly DecodedImage[];
}

/**
 * Marks the cells of the feature map that contain a marked pixel of an image's masks.
 * @param size side of the square that images are resized to, pixels
 * @param cells side of the feature map
 * @returns row-major, 1 where marked, 0 elsewhere
 * @throws InputError if they mark nothing
 */
export function markedCells(
  image: Omit<AnomalousImage, "image">,
  resize: Resize,
  size: number,
  cells: number,
): Float32Array {
  const square = { width: size, height: size };
  const placed = image.masks.map((mask) => maskFrom(mask, size, size, placementOf(resize, mask, square)));
  const marked = cellsOf(placed, size, cells);
  if (!marked.includes(1)) throw nothingMarked(image);
  return marked;
}

/** The same of a tile of an image; null if nothing is marked in it. */
export function markedTileCells(
  { image, masks }: AnomalousImage,
  place: Rectangle,
  size: number,
  cells: number,
): Float32Array | null {
  const along = (nth: number, from: number, extent: number, whole: number, maskExtent: number): number => {
    const pixel = from + ((nth + 0.5) * extent) / size;
    return pixel < whole ? Math.floor((pixel * maskExtent) / whole) : -1;
  };
  const placed = masks.map(({ width, height, data }) => {
    const inTile = new Uint8Array(size * size);
    for (let v = 0; v < size; v++) {
      const y = along(v, place.top, place.height, image.height, height);
      for (let u = 0; u < size; u++) {
        const x = along(u, place.left, place.width, image.width, width);
        if (x < 0 || y < 0) continue;
        const at = 4 * (y * width + x);
        inTile[v * size + u] = data[at]! | data[at + 1]! | data[at + 2]! ? 1 : 0;
      }
    }
    return inTile;
  });
  const marked = cellsOf(placed, size, cells);
  return marked.includes(1) ? marked : null;
}

/** The error of an image whose masks mark nothing. */
export const nothingMarked = ({ name, masks }: Pick<AnomalousImage, "name" | "masks">): InputError =>
  new InputError(`${name} shows no anomaly: nothing is marked in its ${masks.length} masks`);

/** The cells that contain a marked pixel of any mask of `size` x `size`. */
function cellsOf(placed: readonly Uint8Array[], size: number, cells: number): Float32Array {
  const ends = (cell: number): [first: number, end: number] => [
    Math.floor((cell * size) / cells),
    Math.ceil(((cell + 1) * size) / cells),
  ];
  const marked = new Float32Array(cells * cells);
  for (let i = 0; i < marked.length; i++) {
    const [[top, bottom], [left, right]] = [ends(Math.floor(i / cells)), ends(i % cells)];
    const isMarked = (mask: Uint8Array): boolean => {
      for (let y = top; y < bottom; y++) if (mask.subarray(y * size + left, y * size + right).includes(1)) return true;
      return false;
    };
    marked[i] = placed.some(isMarked) ? 1 : 0;
  }
  return marked;
}
