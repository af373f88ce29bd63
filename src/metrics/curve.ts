import { OptionError } from "../runtime/errors.ts";

/** A curve's points, in order. */
export interface Curve {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/**
 * A curve in at most `maxPoints` points, both ends among them. No point left out lies further, in |dx| + |dy|, from the
 * point kept before it than the whole curve's length, so measured, divided by `maxPoints - 2`.
 *
 * @param count of points, no two neighbours alike; x and y give the coordinates of one
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
    throw new OptionError(`maxPoints must be a whole number from 2, got ${maxPoints}`);
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
