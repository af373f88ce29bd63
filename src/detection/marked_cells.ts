import { maskFrom, type DecodedImage } from "../io/image.ts";
import { InputError } from "../runtime/errors.ts";
import { placementOf, type Resize } from "../io/placement.ts";

/** A real anomaly to learn from. */
export interface AnomalousImage {
  /** For errors: its file, say. */
  readonly name: string;
  readonly image: DecodedImage;
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
  { name, masks }: Omit<AnomalousImage, "image">,
  resize: Resize,
  size: number,
  cells: number,
): Float32Array {
  const square = { width: size, height: size };
  const placed = masks.map((mask) => maskFrom(mask, size, size, placementOf(resize, mask, square)));
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
  if (!marked.includes(1))
    throw new InputError(`${name} shows no anomaly: nothing is marked in its ${masks.length} masks`);
  return marked;
}
