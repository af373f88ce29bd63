import { countOf, type Shape } from "../tensor/tensor.ts";

/** A shape seen from one axis: the number of elements before it, along it and behind it. */
export interface Axis {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
}

export const axisOf = (shape: Shape, axis: number): Axis => ({
  outer: countOf(shape.slice(0, axis)),
  extent: shape[axis]!,
  inner: countOf(shape.slice(axis + 1)),
});
