// Float64 definitions of operations on rows along the last axis, and their gradients from the formulas.

type Numbers = ArrayLike<number>;

export interface Rows {
  readonly rows: number;
  readonly channels: number;
}

const rowOf = ({ channels }: Rows, values: Numbers, row: number): number[] =>
  Array.from({ length: channels }, (_, c) => values[row * channels + c]!);
const dot = (x: readonly number[], y: readonly number[]): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

/** Concatenates rows that `f` computes from the index. */
const byRow = (p: Rows, f: (row: number) => readonly number[]): Float64Array =>
  Float64Array.from(Array.from({ length: p.rows }, (_, row) => f(row)).flat());

function softmaxRow(x: readonly number[]): number[] {
  const largest = Math.max(...x);
  const powers = x.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

export const softmax = (p: Rows, x: Numbers): Float64Array => byRow(p, (row) => softmaxRow(rowOf(p, x, row)));

export const softmaxBackward = (p: Rows, x: Numbers, g: Numbers): Float64Array =>
  byRow(p, (row) => {
    const [y, gradient] = [softmaxRow(rowOf(p, x, row)), rowOf(p, g, row)];
    return y.map((value, i) =>
      y.reduce((sum, other, j) => sum + gradient[j]! * other * ((i === j ? 1 : 0) - value), 0),
    );
  });

/** Mean, standard deviation and the normalised row. */
function normalised(x: readonly number[], eps: number) {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const std = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length + eps);
  return { std, h: x.map((value) => (value - mean) / std) };
}

export const layerNorm = (p: Rows, x: Numbers, affine: Numbers, eps: number): Float64Array =>
  byRow(p, (row) => normalised(rowOf(p, x, row), eps).h.map((h, c) => affine[c]! * h + affine[p.channels + c]!));

export function layerNormBackward(p: Rows, x: Numbers, affine: Numbers, g: Numbers, eps: number): Float64Array[] {
  const gradAffine = new Float64Array(2 * p.channels);
  const gradInput = byRow(p, (row) => {
    const { h, std } = normalised(rowOf(p, x, row), eps);
    const gradient = rowOf(p, g, row);
    gradient.forEach((value, c) => {
      gradAffine[c]! += value * h[c]!;
      gradAffine[p.channels + c]! += value;
    });
    const weighted = gradient.map((value, c) => value * affine[c]!);
    // d h_j / d x_i = ((i = j) - 1/C - h_i h_j / C) / std
    return h.map(
      (hi, i) =>
        weighted.reduce((sum, value, j) => sum + value * ((i === j ? 1 : 0) - (1 + hi * h[j]!) / p.channels), 0) / std,
    );
  });
  return [gradInput, gradAffine];
}

const length = (x: readonly number[]): number => Math.sqrt(dot(x, x));

export const l2Norm = (p: Rows, x: Numbers): Float64Array => byRow(p, (row) => [length(rowOf(p, x, row))]);

export const l2NormBackward = (p: Rows, x: Numbers, g: Numbers): Float64Array =>
  byRow(p, (row) => {
    const values = rowOf(p, x, row);
    return values.map((value) => (length(values) === 0 ? 0 : (g[row]! * value) / length(values)));
  });

export const l2Normalize = (p: Rows, x: Numbers, eps: number): Float64Array =>
  byRow(p, (row) => {
    const values = rowOf(p, x, row);
    return values.map((value) => value / Math.max(length(values), eps));
  });

export const l2NormalizeBackward = (p: Rows, x: Numbers, g: Numbers, eps: number): Float64Array =>
  byRow(p, (row) => {
    const [values, gradient] = [rowOf(p, x, row), rowOf(p, g, row)];
    const size = length(values);
    if (size <= eps) return gradient.map((value) => value / eps);
    return values.map((value, i) => gradient[i]! / size - (value * dot(values, gradient)) / size ** 3);
  });

export const cosine = (p: Rows, a: Numbers, b: Numbers, eps = 1e-8): Float64Array =>
  byRow(p, (row) => {
    const [x, y] = [rowOf(p, a, row), rowOf(p, b, row)];
    return [dot(x, y) / Math.max(length(x), eps) / Math.max(length(y), eps)];
  });

/** The gradient of `a`; for that of `b`, exchange the two. */
export const cosineBackward = (p: Rows, a: Numbers, b: Numbers, g: Numbers, eps = 1e-8): Float64Array =>
  byRow(p, (row) => {
    const [x, y] = [rowOf(p, a, row), rowOf(p, b, row)];
    const [sizeX, sizeY] = [Math.max(length(x), eps), Math.max(length(y), eps)];
    const clamped = length(x) <= eps;
    return x.map(
      (value, c) => g[row]! * (y[c]! / (sizeX * sizeY) - (clamped ? 0 : (value * dot(x, y)) / (sizeX ** 3 * sizeY))),
    );
  });
