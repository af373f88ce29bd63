import { OptionError } from "../runtime/errors.ts";
import { reflectionOf } from "./qr.ts";
import { requireMatrix } from "./shape.ts";

const MOST_SWEEPS = 60; // for one eigenvalue; two or three are usual

/** Eigenvalues, largest first, and their vectors. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  /** `[n, n]`, row-major: row k is the unit vector of value k. */
  readonly vectors: Float64Array;
}

/**
 * Eigenvalues and orthonormal eigenvectors of a symmetric matrix: A = V' diag(values) V, V the vectors as rows. Errors
 * are those of rounding beside the largest value, so that small values of an ill-conditioned matrix have few digits.
 *
 * @param a `[n, n]`, row-major; what lies above the diagonal is not read
 * @throws ShapeError for another number of elements; OptionError if A is not finite
 * @see Golub and Van Loan, "Matrix Computations", section 8.3: a tridiagonal form by reflections, then implicit QL
 */
export function symmetricEigen(a: Float64Array, n: number): SymmetricEigen {
  requireMatrix("symmetricEigen", a, n, n);
  const rows = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: n }, (_, j) => (j <= i ? a[i * n + j]! : a[j * n + i]!)),
  );
  const wrong = a.find((x, at) => !Number.isFinite(x) && at % n <= Math.floor(at / n));
  if (wrong !== undefined) throw new OptionError(`symmetricEigen: expected finite numbers, got ${wrong}`);
  const size = rows.reduce((most, row) => row.reduce((all, x) => Math.max(all, Math.abs(x)), most), 0);
  if (size > 0) for (const row of rows) for (let j = 0; j < n; j++) row[j]! /= size;
  const vectors = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  const { diagonal, beside } = tridiagonal(rows, vectors);
  diagonalise(diagonal, beside, vectors);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[j]! - diagonal[i]!);
  const sorted = new Float64Array(n * n);
  order.forEach((from, to) => sorted.set(vectors[from]!, to * n));
  return { values: Float64Array.from(order, (from) => size * diagonal[from]!), vectors: sorted };
}

/**
 * Brings a symmetric matrix to tridiagonal form by reflections of both sides, in place, and the vectors along.
 * @returns its diagonal, and the elements beside it: `beside[i]` couples i and i + 1
 */
function tridiagonal(
  rows: readonly Float64Array[],
  vectors: readonly Float64Array[],
): { readonly diagonal: Float64Array; readonly beside: Float64Array } {
  const n = rows.length;
  for (let k = 0; k + 2 < n; k++) {
    const { v, scale } = reflectionOf(rows[k]!, k + 1);
    if (scale === 0) continue;
    // H A H = A - v w' - w v', with p = scale A v and w = p - (scale p'v / 2) v
    const w = new Float64Array(n);
    for (let i = k; i < n; i++) w[i] = scale * product(rows[i]!, v, k + 1);
    addTo(w, v, (-scale * product(w, v, k + 1)) / 2);
    for (let i = k; i < n; i++) {
      const [row, vi, wi] = [rows[i]!, v[i]!, w[i]!];
      for (let j = k; j < n; j++) row[j] = row[j]! - vi * w[j]! - wi * v[j]!;
    }
    const along = new Float64Array(n);
    for (let i = k + 1; i < n; i++) addTo(along, vectors[i]!, v[i]!);
    for (let i = k + 1; i < n; i++) addTo(vectors[i]!, along, -scale * v[i]!);
  }
  return {
    diagonal: Float64Array.from(rows, (row, i) => row[i]!),
    beside: Float64Array.from(rows, (row, i) => row[i + 1] ?? 0),
  };
}

function product(a: Float64Array, b: Float64Array, first: number): number {
  let sum = 0;
  for (let i = first; i < b.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addTo(sum: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += factor * vector[i]!;
}

/** Diagonalises a tridiagonal matrix, in place, by rotations, and the vectors along. */
function diagonalise(diagonal: Float64Array, beside: Float64Array, vectors: readonly Float64Array[]): void {
  const n = diagonal.length;
  const size = diagonal.reduce((most, x, i) => Math.max(most, Math.abs(x), Math.abs(beside[i]!)), 0);
  const negligible = Number.EPSILON * size;
  /** The last of the rows from `first` on that are coupled to it. */
  const lastOf = (first: number): number => {
    let last = first;
    while (last < n - 1 && Math.abs(beside[last]!) > negligible) last++;
    return last;
  };
  for (let first = 0; first < n; first++) {
    for (let sweep = 0, last = lastOf(first); last > first; last = lastOf(first)) {
      if (++sweep > MOST_SWEEPS)
        throw new OptionError(`symmetricEigen: value ${first} of ${n} does not converge in ${MOST_SWEEPS} sweeps`);
      chase(diagonal, beside, vectors, first, last);
    }
  }
}

/** A sweep of rotations from `last` up to `first`, with Wilkinson's shift of the first two rows. */
function chase(
  diagonal: Float64Array,
  beside: Float64Array,
  vectors: readonly Float64Array[],
  first: number,
  last: number,
): void {
  const apart = (diagonal[first + 1]! - diagonal[first]!) / (2 * beside[first]!);
  const root = Math.sqrt(apart * apart + 1);
  const shift = diagonal[first]! - beside[first]! / (apart + (apart < 0 ? -root : root));
  let bulge = diagonal[last]! - shift;
  let [sine, cosine, moved] = [1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const [out, kept] = [sine * beside[i]!, cosine * beside[i]!];
    const length = Math.sqrt(out * out + bulge * bulge);
    beside[i + 1] = length;
    if (length === 0) {
      diagonal[i + 1]! -= moved;
      beside[last] = 0;
      return;
    }
    [sine, cosine] = [out / length, bulge / length];
    const before = diagonal[i + 1]! - moved;
    const turned = (diagonal[i]! - before) * sine + 2 * cosine * kept;
    moved = sine * turned;
    diagonal[i + 1] = before + moved;
    bulge = cosine * turned - kept;
    rotate(vectors[i]!, vectors[i + 1]!, cosine, sine);
  }
  diagonal[first]! -= moved;
  beside[first] = bulge;
  beside[last] = 0;
}

function rotate(a: Float64Array, b: Float64Array, cosine: number, sine: number): void {
  for (let k = 0; k < a.length; k++) {
    const x = a[k]!;
    const y = b[k]!;
    a[k] = cosine * x - sine * y;
    b[k] = sine * x + cosine * y;
  }
}
