import { OptionError } from "../runtime/errors.ts";
import { requireMatrix } from "./shape.ts";

/**
 * The lower triangular factor L of a symmetric positive definite matrix: A = L L'.
 *
 * @param a `[n, n]`, row-major; what lies above the diagonal is not read
 * @returns L, `[n, n]`, row-major
 * @throws ShapeError for another number of elements; OptionError unless A is positive definite beyond rounding
 * @see Golub and Van Loan, "Matrix Computations", section 4.2
 */
export function cholesky(a: Float64Array, n: number): Float64Array {
  requireMatrix("cholesky", a, n, n);
  const l = new Float64Array(n * n);
  const rows = Array.from({ length: n }, (_, i) => l.subarray(i * n, (i + 1) * n));
  for (let i = 0; i < n; i++) {
    const row = rows[i]!;
    for (let j = 0; j <= i; j++) {
      const other = rows[j]!;
      let left = a[i * n + j]!;
      for (let k = 0; k < j; k++) left -= row[k]! * other[k]!;
      row[j] = j < i ? left / other[j]! : Math.sqrt(requirePivot(left, a[i * n + i]!, i, n));
    }
  }
  return l;
}

/** Refuses a pivot that may be what rounding leaves of 0. */
function requirePivot(pivot: number, diagonal: number, at: number, n: number): number {
  if (pivot > n * Number.EPSILON * diagonal && pivot < Infinity) return pivot;
  throw new OptionError(
    `cholesky: expected a positive definite matrix, pivot ${at} of ${n} is ${pivot} beside ${diagonal}: add a multiple of the identity`,
  );
}

/**
 * Solves L X = B by forward substitution, in place.
 *
 * @param l `[n, n]`, row-major, lower triangular, without zeros on the diagonal
 * @param b `[n, columns]`, row-major; holds X afterwards
 * @throws ShapeError for another number of elements
 */
export function solveLower(l: Float64Array, n: number, b: Float64Array, columns: number): void {
  requireMatrix("solveLower", l, n, n);
  requireMatrix("solveLower", b, n, columns);
  for (let i = 0; i < n; i++) {
    const row = b.subarray(i * columns, (i + 1) * columns);
    for (let k = 0; k < i; k++) {
      const factor = l[i * n + k]!;
      if (factor === 0) continue;
      const other = b.subarray(k * columns, (k + 1) * columns);
      for (let c = 0; c < columns; c++) row[c]! -= factor * other[c]!;
    }
    const diagonal = l[i * n + i]!;
    for (let c = 0; c < columns; c++) row[c]! /= diagonal;
  }
}
