import { activation, relu } from "../../ops/activation.ts";
import { scalar, subtract } from "../../ops/elementwise.ts";
import { resize } from "../../ops/resize.ts";
import { slice } from "../../ops/shape.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Shape, Tensor } from "../../tensor/tensor.ts";

/** Passes that hide a part each of an image: together all of it, no pixel twice. */
export const PASSES = 3;

type Extents = { readonly height: number; readonly width: number };

/** The shape of a grid of squares that covers images; squares may reach beyond the right and the bottom. */
export const gridShape = ({ height, width }: Extents, cellSize: number): Shape => [
  1,
  Math.ceil(height / cellSize),
  Math.ceil(width / cellSize),
  1,
];

/** The pass that hides each of so many cells, drawn on the host: every pass hides as many, or one more. */
export function drawnPasses(cells: number, random: RandomStream): Float32Array {
  const passes = new Float32Array(cells);
  random.permutation(cells).forEach((cell, place) => (passes[cell] = place % PASSES));
  return passes;
}

/**
 * The pixels that each pass hides.
 * @param passes `[1, rows, columns, 1]`: the pass that hides each cell
 * @returns for each pass `[1, H, W, 1]`: 1 where hidden, 0 elsewhere
 */
export function hiddenPixels(passes: Tensor, cellSize: number, { height, width }: Extents): Tensor[] {
  const [, rows, columns] = passes.shape as [number, number, number, number];
  const covered = resize(passes, [rows * cellSize, columns * cellSize], { mode: "nearest" });
  const own = cropped(covered, height, width);
  const number = (value: number): Tensor => scalar(passes.device, value);
  // 1 - |difference| of whole numbers: 1 where they are equal, at most 0 elsewhere
  return Array.from({ length: PASSES }, (_, pass) =>
    relu(subtract(number(1), activation(subtract(own, number(pass)), "abs"))),
  );
}

/** The upper left part of images. */
export function cropped(images: Tensor, height: number, width: number): Tensor {
  const rows = images.shape[1] === height ? images : slice(images, 0, height, 1);
  return images.shape[2] === width ? rows : slice(rows, 0, width, 2);
}
