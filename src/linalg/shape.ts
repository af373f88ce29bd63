import { ShapeError } from "../runtime/errors.ts";

/** @throws ShapeError unless a row-major matrix has as many elements as its extents say */
export function requireMatrix(name: string, matrix: Float64Array, rows: number, columns: number): void {
  if (matrix.length === rows * columns) return;
  throw new ShapeError(`${name}: expected ${rows} x ${columns} numbers, got ${matrix.length}`);
}
