import { ShapeError } from "../runtime/errors.ts";
import { requireMatrix } from "./shape.ts";

/**
 * Factorises a matrix with no more columns than rows: A = Q R. Q has orthonormal columns even where A's depend on one
 * another; R is upper triangular, and its diagonal is at least 0.
 *
 * @param a `[rows, columns]`, row-major
 * @returns Q, `[rows, columns]`, and R, `[columns, columns]`, row-major
 * @throws ShapeError for another number of elements, or more columns than rows
 * @see Golub and Van Loan, "Matrix Computations", section 5.2, Householder reflections
 */
export function qr(
  a: Float64Array,
  rows: number,
  columns: number,
): { readonly q: Float64Array; readonly r: Float64Array } {
  requireMatrix("qr", a, rows, columns);
  if (columns > rows)
    throw new ShapeError(`qr: expected at most as many columns as rows, got ${columns} columns and ${rows} rows`);
  const left = Array.from({ length: columns }, (_, c) =>
    Float64Array.from({ length: rows }, (_, i) => a[i * columns + c]!),
  );
  const reflections: Reflection[] = [];
  for (let c = 0; c < columns; c++) {
    const reflection = reflectionOf(left[c]!, c);
    for (let other = c; other < columns; other++) reflect(left[other]!, reflection, c);
    reflections.push(reflection);
  }
  const [q, r] = [new Float64Array(rows * columns), new Float64Array(columns * columns)];
  for (let c = 0; c < columns; c++) {
    const sign = left[c]![c]! < 0 ? -1 : 1;
    const unit = new Float64Array(rows);
    unit[c] = sign;
    for (let k = c; k >= 0; k--) reflect(unit, reflections[k]!, k);
    for (let i = 0; i < rows; i++) q[i * columns + c] = unit[i]!;
    for (let other = c; other < columns; other++) r[c * columns + other] = sign * left[other]![c]!;
  }
  return { q, r };
}

/** I - scale v v', where v is 0 before a first element. */
export interface Reflection {
  readonly v: Float64Array;
  readonly scale: number;
}

/** The reflection that moves a vector's elements from `first` on onto the first of them; the identity for zeros. */
export function reflectionOf(vector: Float64Array, first: number): Reflection {
  const v = vector.slice();
  v.fill(0, 0, first);
  const largest = v.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!(largest > 0)) return { v, scale: 0 };
  let square = 0;
  for (let i = first; i < v.length; i++) square += (v[i]! /= largest) ** 2;
  const length = Math.sqrt(square);
  v[first]! += v[first]! < 0 ? -length : length;
  return { v, scale: 1 / (length * Math.abs(v[first]!)) };
}

/** Applies a reflection to a vector, in place. @param first element before which v is 0 */
export function reflect(vector: Float64Array, { v, scale }: Reflection, first: number): void {
  let along = 0;
  for (let i = first; i < v.length; i++) along += v[i]! * vector[i]!;
  along *= scale;
  for (let i = first; i < v.length; i++) vector[i]! -= along * v[i]!;
}
