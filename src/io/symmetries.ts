import type { DecodedImage } from "./image.ts";

/** An exact symmetry of the square: rows and columns exchanged, or not, then each in reverse, or not. */
interface Symmetry {
  readonly exchanged: boolean;
  readonly reversedRows: boolean;
  readonly reversedColumns: boolean;
}

const symmetry = (exchanged: boolean, reversedRows: boolean, reversedColumns: boolean): Symmetry => ({
  exchanged,
  reversedRows,
  reversedColumns,
});
const HALF_TURN = symmetry(false, true, true);
const TURNS = [symmetry(true, false, true), HALF_TURN, symmetry(true, true, false)];
const MIRRORED = [symmetry(false, false, true), symmetry(false, true, false)];
const DIAGONALS = [symmetry(true, false, false), symmetry(true, true, true)];

/** The symmetries of the square by which a picture has copies, besides itself. */
const SYMMETRIES = {
  none: [],
  flips: [...MIRRORED, HALF_TURN],
  rotations: TURNS,
  both: [...TURNS, ...MIRRORED, ...DIAGONALS],
} as const satisfies Readonly<Record<string, readonly Symmetry[]>>;

/** A choice of symmetries: none, mirror images and the half turn, quarter turns, or all of these. */
export type Augmentation = keyof typeof SYMMETRIES;
/** All choices of symmetries. */
export const AUGMENTATIONS = Object.keys(SYMMETRIES) as readonly Augmentation[];

/** The number of copies of a picture besides itself: 0, 3, 3 or 7. */
export const copyCount = (augmentation: Augmentation): number => SYMMETRIES[augmentation].length;

/** A picture's turned and mirrored copies, one after another, pixel for pixel: nothing is resampled. */
export function* copiesOf(image: DecodedImage, augmentation: Augmentation): Generator<DecodedImage> {
  for (const one of SYMMETRIES[augmentation]) yield transformed(image, one);
}

function transformed(
  { width, height, data }: DecodedImage,
  { exchanged, reversedRows, reversedColumns }: Symmetry,
): DecodedImage {
  const source = new Uint32Array(new Uint8Array(data).buffer); // a copy, which begins where a pixel may
  const extents = exchanged ? { width: height, height: width } : { width, height };
  const target = new Uint32Array(width * height);
  for (let row = 0; row < extents.height; row++) {
    const y = reversedRows ? extents.height - 1 - row : row;
    for (let column = 0; column < extents.width; column++) {
      const x = reversedColumns ? extents.width - 1 - column : column;
      target[row * extents.width + column] = source[exchanged ? x * width + y : y * width + x]!;
    }
  }
  return { ...extents, data: new Uint8Array(target.buffer) };
}
