// Float64 definition of the broadcast binary functions: NumPy's rule, one output element at a time.

type Shape = readonly number[];
type Numbers = ArrayLike<number>;

export interface Problem {
  readonly a: Shape;
  readonly b: Shape;
}

const count = (shape: Shape): number => shape.reduce((n, extent) => n * extent, 1);

/** Both shapes with leading ones up to the same number of axes, and the shape that they broadcast to. */
function shapesOf({ a, b }: Problem) {
  const rank = Math.max(a.length, b.length);
  const padded = (shape: Shape) => [...Array<number>(rank - shape.length).fill(1), ...shape];
  const [wideA, wideB] = [padded(a), padded(b)];
  return { a: wideA, b: wideB, output: wideA.map((extent, axis) => (extent === 1 ? wideB[axis]! : extent)) };
}

/** Row-major index of the element of `shape` at `position`, where an axis of extent 1 has only its first element. */
const indexIn = (shape: Shape, position: Shape): number =>
  shape.reduce((index, extent, axis) => index * extent + (extent === 1 ? 0 : position[axis]!), 0);

const positionOf = (shape: Shape, index: number): number[] =>
  shape.map((extent, axis) => Math.floor(index / count(shape.slice(axis + 1))) % extent);

/** For each output element, in order, its elements of a and b. */
function pairs(problem: Problem): { readonly a: number; readonly b: number }[] {
  const { a, b, output } = shapesOf(problem);
  return Array.from({ length: count(output) }, (_, i) => {
    const position = positionOf(output, i);
    return { a: indexIn(a, position), b: indexIn(b, position) };
  });
}

export function forward(problem: Problem, a: Numbers, b: Numbers, f: (a: number, b: number) => number): Float64Array {
  return Float64Array.from(pairs(problem), (at) => f(a[at.a]!, b[at.b]!));
}

/** `slopes` are the derivatives of f with respect to each argument. */
export function backward(
  problem: Problem,
  a: Numbers,
  b: Numbers,
  gradOutput: Numbers,
  slopes: (a: number, b: number) => readonly [number, number],
): Float64Array[] {
  const [gradA, gradB] = [new Float64Array(a.length), new Float64Array(b.length)];
  pairs(problem).forEach((at, i) => {
    const [slopeA, slopeB] = slopes(a[at.a]!, b[at.b]!);
    gradA[at.a]! += slopeA * gradOutput[i]!;
    gradB[at.b]! += slopeB * gradOutput[i]!;
  });
  return [gradA, gradB];
}
