// Float64 definitions of the reductions: every input element belongs to the output element at its position with the
// reduced axes left out.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
}

export const count = (shape: readonly number[]): number => shape.reduce((n, extent) => n * extent, 1);

/** How many elements make one of the output. */
export const extentOf = ({ shape, axes }: Problem): number => count(axes.map((axis) => shape[axis]!));

/** For each input element the output element that it belongs to. */
function owners({ shape, axes }: Problem): number[] {
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

export const sumBackward = (p: Problem, gradOutput: Numbers): Float64Array => Float64Array.from(owners(p), (owner) => gradOutput[owner]!);

export const mean = (p: Problem, input: Numbers): Float64Array => sum(p, input).map((total) => total / extentOf(p));

export const meanBackward = (p: Problem, gradOutput: Numbers): Float64Array => sumBackward(p, gradOutput).map((grad) => grad / extentOf(p));

export function max(p: Problem, input: Numbers): Float64Array {
  const output = new Float64Array(count(p.shape) / extentOf(p)).fill(-Infinity);
  owners(p).forEach((owner, i) => (output[owner] = Math.max(output[owner]!, input[i]!)));
  return output;
}
