import { describe, expect, test } from "vitest";
import { cholesky, solveLower } from "../../src/linalg/cholesky.ts";
import { qr } from "../../src/linalg/qr.ts";
import { symmetricEigen } from "../../src/linalg/symmetric_eigen.ts";
import { OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { rng } from "../harness/bounds.ts";

const SLACK = 8; // times n roundings of the largest element

const matrixOf = (rows: number, columns: number, key: number): Float64Array => {
  const random = rng(key);
  return Float64Array.from({ length: rows * columns }, () => 2 * random() - 1);
};

/** `[rows, inner]` times `[inner, columns]`. */
function product(a: Float64Array, b: Float64Array, inner: number): Float64Array {
  const [rows, columns] = [a.length / inner, b.length / inner];
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[i * inner + k]! * b[k * columns + j]!;
    return sum;
  });
}

const transposed = (a: Float64Array, columns: number): Float64Array => {
  const rows = a.length / columns;
  return Float64Array.from({ length: a.length }, (_, at) => a[(at % rows) * columns + Math.floor(at / rows)]!);
};

const identity = (n: number): Float64Array =>
  Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));

const largest = (a: Float64Array): number => a.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

function expectClose(got: Float64Array, want: Float64Array, n: number, scale = largest(want)): void {
  expect(got.length).toBe(want.length);
  const error = largest(got.map((x, i) => x - want[i]!));
  expect(error <= SLACK * n * Number.EPSILON * scale, `differs by ${error} beside ${scale}`).toBe(true);
}

/** A symmetric matrix of these eigenvalues. */
function symmetric(values: readonly number[], key: number): Float64Array {
  const n = values.length;
  const { q } = qr(matrixOf(n, n, key), n, n);
  return product(
    q.map((x, at) => x * values[at % n]!),
    transposed(q, n),
    n,
  );
}

const falling = (n: number, last: number): number[] => Array.from({ length: n }, (_, i) => last ** (i / (n - 1)));

describe("cholesky", () => {
  test.each<[string, Float64Array, number]>([
    ["one number", Float64Array.of(9), 1],
    ["a random covariance", symmetric(falling(40, 0.1), 1), 40],
    ["a condition of 1e12", symmetric(falling(30, 1e-12), 2), 30],
    ["a large scale", symmetric(falling(7, 1e-3), 3).map((x) => 1e200 * x), 7],
    ["a small scale", symmetric(falling(7, 1e-3), 3).map((x) => 1e-200 * x), 7],
    [
      "rank 3 of 12, with a multiple of the identity",
      symmetric([3, 2, 1, ...Array<number>(9).fill(0)], 4).map((x, i) => x + (i % 13 === 0 ? 1e-6 : 0)),
      12,
    ],
  ])("A = L L', L lower triangular: %s", (_what, a, n) => {
    const l = cholesky(a, n);
    l.forEach((x, at) => at % n > Math.floor(at / n) && expect(x).toBe(0));
    expectClose(product(l, transposed(l, n), n), a, n);
  });

  test("is exact where float64 arithmetic is exact, and does not read what lies above the diagonal", () => {
    expect([...cholesky(Float64Array.of(4, NaN, NaN, 2, 10, NaN, -6, 3, 14), 3)]).toEqual([2, 0, 0, 1, 3, 0, -3, 2, 1]);
  });

  test.each<[string, Float64Array, number, string]>([
    ["a rank less", symmetric([2, 1, 0.5, 0], 5), 4, "pivot 3 of 4"],
    ["zeros", new Float64Array(4), 2, "pivot 0 of 2 is 0 beside 0"],
    ["a negative direction", Float64Array.of(1, 2, 2, 1), 2, "pivot 1 of 2 is -3 beside 1"],
    ["NaN", Float64Array.of(1, 0, NaN, 1), 2, "pivot 1 of 2 is NaN"],
    ["infinity", Float64Array.of(Infinity), 1, "pivot 0 of 1 is Infinity"],
  ])("refuses a matrix that is not positive definite: %s", (_what, a, n, text) => {
    expect(() => cholesky(a, n)).toThrow(OptionError);
    expect(() => cholesky(a, n)).toThrow(`cholesky: expected a positive definite matrix, ${text}`);
    expect(() => cholesky(a, n)).toThrow(/: add a multiple of the identity$/);
  });

  test("forward substitution solves L X = B", () => {
    const [n, columns] = [20, 7];
    const l = cholesky(symmetric(falling(n, 1e-2), 6), n);
    const b = matrixOf(n, columns, 7);
    const x = b.slice();
    solveLower(l, n, x, columns);
    expectClose(product(l, x, n), b, n, largest(l) * largest(x));
  });
});

describe("qr", () => {
  const columns = (count: number, key: number): Float64Array => matrixOf(30, count, key);
  const dependent = (): Float64Array => product(matrixOf(30, 4, 3), matrixOf(4, 10, 4), 4);
  test.each<[string, Float64Array, number, number]>([
    ["one number below 0", Float64Array.of(-3), 1, 1],
    ["a tall matrix", columns(9, 1), 30, 9],
    ["a square one", matrixOf(25, 25, 2), 25, 25],
    ["rank 4 of 10", dependent(), 30, 10],
    ["columns of zeros", columns(6, 5).map((x, at) => (at % 6 < 2 ? 0 : x)), 30, 6],
    ["columns of scales 1e-150 to 1e150", columns(7, 6).map((x, at) => x * 10 ** (50 * ((at % 7) - 3))), 30, 7],
  ])("A = Q R, Q'Q = I, R upper triangular with a diagonal of at least 0: %s", (_what, a, rows, count) => {
    const { q, r } = qr(a, rows, count);
    expectClose(product(transposed(q, count), q, rows), identity(count), rows);
    const back = transposed(product(q, r, count), count);
    const wanted = transposed(a, count);
    for (let c = 0; c < count; c++) {
      const [got, want] = [back, wanted].map((all) => all.slice(c * rows, (c + 1) * rows)) as [
        Float64Array,
        Float64Array,
      ];
      expectClose(got, want, rows);
    }
    r.forEach((x, at) => {
      const [i, j] = [Math.floor(at / count), at % count];
      if (i > j) expect(x).toBe(0);
      if (i === j) expect(x).toBeGreaterThanOrEqual(0);
    });
  });

  test("refuses more columns than rows", () => {
    expect(() => qr(new Float64Array(6), 2, 3)).toThrow(
      "qr: expected at most as many columns as rows, got 3 columns and 2 rows",
    );
  });
});

describe("symmetricEigen", () => {
  test.each<[string, Float64Array, number]>([
    ["one number", Float64Array.of(-2), 1],
    ["two", Float64Array.of(1, 2, 2, 1), 2],
    ["a random covariance", symmetric(falling(40, 0.1), 1), 40],
    ["a condition of 1e14", symmetric(falling(30, 1e-14), 2), 30],
    ["values of both signs", symmetric([5, 1, 0, -1, -5, -5], 3), 6],
    ["equal values", symmetric(Array<number>(12).fill(3), 4), 12],
    ["rank 2 of 20", symmetric([2, 1, ...Array<number>(18).fill(0)], 5), 20],
    ["zeros", new Float64Array(25), 5],
    ["the identity", identity(8), 8],
    ["a diagonal", identity(9).map((x, i) => x * i), 9],
    ["a large scale", symmetric(falling(7, 1e-3), 6).map((x) => 1e200 * x), 7],
  ])("A = V' diag(values) V, V V' = I, largest first: %s", (_what, a, n) => {
    const { values, vectors } = symmetricEigen(a, n);
    expectClose(product(vectors, transposed(vectors, n), n), identity(n), n);
    const scaled = vectors.map((x, at) => x * values[Math.floor(at / n)]!);
    expectClose(product(transposed(vectors, n), scaled, n), a, n);
    values.forEach((value, i) => i > 0 && expect(value).toBeLessThanOrEqual(values[i - 1]!));
  });

  test("finds the values that a matrix was made of", () => {
    const values = falling(16, 1e-6);
    expectClose(symmetricEigen(symmetric(values, 7), 16).values, Float64Array.from(values), 16);
  });

  test("refuses numbers that are not finite", () => {
    for (const wrong of [NaN, Infinity]) {
      expect(() => symmetricEigen(Float64Array.of(1, 0, wrong, 1), 2)).toThrow(OptionError);
      expect(() => symmetricEigen(Float64Array.of(1, 0, wrong, 1), 2)).toThrow(
        `symmetricEigen: expected finite numbers, got ${wrong}`,
      );
    }
  });
});

test("another number of elements is refused by name", () => {
  const few = new Float64Array(3);
  for (const [name, call] of [
    ["cholesky", () => cholesky(few, 2)],
    ["qr", () => qr(few, 2, 2)],
    ["symmetricEigen", () => symmetricEigen(few, 2)],
    ["solveLower", () => solveLower(few, 2, few, 1)],
  ] as const) {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(`${name}: expected 2 x 2 numbers, got 3`);
  }
  expect(() => solveLower(new Float64Array(4), 2, few, 2)).toThrow("solveLower: expected 2 x 2 numbers, got 3");
});
