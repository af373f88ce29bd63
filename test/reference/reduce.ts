// Float64 definitions of the reductions: every input element contributes to the output element at its position without
// the reduced axes.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
}

export const count = (shape: readonly number[]): number => shape.reduce((n, extent) => n * extent, 1);

/** Number of input elements per output element. */
export const extentOf = ({ shape, axes }: Problem): number => count(axes.map((axis) => shape.at(axis)!));

/** For each input element the output element that it contributes to. */
function owners({ shape, axes: stated }: Problem): number[] {
  const axes = stated.map((axis) => (axis < 0 ? axis + shape.length : axis));
  return Array.from({ length: count(shape) }, (_, i) => {
    const position = shape.map((extent, axis) => Math.floor(i / count(shape.slice(axis + 1))) % extent);
    return position.reduce((index, at, axis) => (axes.includes(axis) ? index : index * shape[axis]! + at), 0);
  });
}

export function sum(p: Problem, input: Numbers): Float64Array {
  const output = new Float64Array(count(p.shape) / extentOf(p));
  owners(p).forEach((owner, i) => (output[owner]! += input[i]!));
  return output;
}

export const sumBackward = (p: Problem, gradOutput: Numbers): Float64Array =>
  Float64Array.from(owners(p), (owner) => gradOutput[owner]!);

export const mean = (p: Problem, input: Numbers): Float64Array => sum(p, input).map((total) => total / extentOf(p));

export const meanBackward = (p: Problem, gradOutput: Numbers): Float64Array =>
  sumBackward(p, gradOutput).map((grad) => grad / extentOf(p));

export function max(p: Problem, input: Numbers): Float64Array {
  const output = new Float64Array(count(p.shape) / extentOf(p)).fill(-Infinity);
  owners(p).forEach((owner, i) => (output[owner] = Math.max(output[owner]!, input[i]!)));
  return output;
}

export const min = (p: Problem, input: Numbers): Float64Array =>
  max(
    p,
    Array.from(input, (x) => -x),
  ).map((x) => -x);

/** Elements tied for the extremum share its gradient. */
export function extremumBackward(p: Problem, input: Numbers, extrema: Numbers, gradOutput: Numbers): Float64Array {
  const owner = owners(p);
  const ties = new Float64Array(extrema.length);
  owner.forEach((to, i) => (ties[to]! += input[i] === extrema[to] ? 1 : 0));
  return Float64Array.from(owner, (to, i) => (input[i] === extrema[to] ? gradOutput[to]! / ties[to]! : 0));
}

/** The position of each last-axis row's maximum, counted over all elements: the first of several. */
export function maxPositions(shape: readonly number[], input: Numbers): Float64Array {
  const extent = shape.at(-1)!;
  return Float64Array.from({ length: count(shape.slice(0, -1)) }, (_, row) => {
    const values = Array.from({ length: extent }, (_, i) => input[row * extent + i]!);
    return row * extent + values.indexOf(Math.max(...values));
  });
}
