import { OptionError } from "../runtime/errors.ts";

/** A curve's points, in order. */
export interface Curve {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/**
 * Reduces a curve to at most `maxPoints` points, including both ends. Each omitted point lies within `length /
 * (maxPoints - 2)` of the last kept point before it, where distances and the curve's length are in |dx| + |dy|.
 *
 * @param count number of points, no two neighbours equal; x and y give a point's coordinates
 * @param maxPoints at least 2
 * @throws OptionError for another `maxPoints`
 */
export function thinned(
  count: number,
  x: (point: number) => number,
  y: (point: number) => number,
  maxPoints: number,
): Curve {
  if (!(Number.isSafeInteger(maxPoints) && maxPoints >= 2)) {
    throw new OptionError(`maxPoints must be a whole number of at least 2, got ${maxPoints}`);
  }
  const distance = (i: number, j: number): number => Math.abs(x(i) - x(j)) + Math.abs(y(i) - y(j));
  let least = 0;
  if (count > maxPoints) {
    for (let i = 1; i < count; i++) least += distance(i, i - 1);
    least /= maxPoints - 2;
  }
  const kept: number[] = [];
  for (let i = 0; i < count; i++) {
    const last = kept.at(-1);
    if (last === undefined || distance(i, last) >= least || i === count - 1) kept.push(i);
  }
  return { x: Float64Array.from(kept, x), y: Float64Array.from(kept, y) };
}
