// Definitions of operations that move elements: for each output element the index of its input element, or -1.

type Shape = readonly number[];
type Numbers = ArrayLike<number>;

const count = (shape: Shape): number => shape.reduce((n, extent) => n * extent, 1);

/** The positions of a shape, in order. */
const placesOf = (shape: Shape): number[][] =>
  Array.from({ length: count(shape) }, (_, i) =>
    shape.map((extent, axis) => Math.floor(i / count(shape.slice(axis + 1))) % extent),
  );

/** Row-major index of a position, or -1 outside. */
const indexOf = (shape: Shape, place: readonly number[]): number =>
  place.every((at, axis) => at >= 0 && at < shape[axis]!)
    ? place.reduce((index, at, axis) => index * shape[axis]! + at, 0)
    : -1;

export type Moves = readonly number[];

export const slice = (shape: Shape, start: number, length: number, axis: number): Moves =>
  placesOf(shape.map((extent, at) => (at === axis ? length : extent))).map((place) =>
    indexOf(
      shape,
      place.map((at, i) => (i === axis ? at + start : at)),
    ),
  );

export const pad = (shape: Shape, amounts: readonly (readonly [number, number])[]): Moves =>
  placesOf(shape.map((extent, axis) => extent + amounts[axis]![0] + amounts[axis]![1])).map((place) =>
    indexOf(
      shape,
      place.map((at, axis) => at - amounts[axis]![0]),
    ),
  );

export const transpose = (shape: Shape, order: readonly number[]): Moves =>
  placesOf(order.map((axis) => shape.at(axis)!)).map((place) =>
    indexOf(
      shape,
      shape.map((_, axis) => place[order.findIndex((from) => from === axis || from === axis - shape.length)]!),
    ),
  );

export const broadcastTo = (shape: Shape, to: Shape): Moves =>
  placesOf(to).map((place) =>
    indexOf(
      shape,
      shape.map((extent, axis) => (extent === 1 ? 0 : place[axis + to.length - shape.length]!)),
    ),
  );

export const gather = (shape: Shape, indices: Numbers, axis: number): Moves =>
  placesOf(shape.map((extent, at) => (at === axis ? indices.length : extent))).map((place) =>
    indexOf(
      shape,
      place.map((at, i) => (i === axis ? indices[at]! : at)),
    ),
  );

/** For each input of a concatenation: -1 if the element is another input's. */
export function concat(shapes: readonly Shape[], axis: number): Moves[] {
  const total = shapes.reduce((sum, shape) => sum + shape[axis]!, 0);
  let offset = 0;
  return shapes.map((shape) => {
    const before = offset;
    offset += shape[axis]!;
    return placesOf(shape.map((extent, at) => (at === axis ? total : extent))).map((place) =>
      indexOf(
        shape,
        place.map((at, i) => (i === axis ? at - before : at)),
      ),
    );
  });
}

export const moved = (moves: Moves, input: Numbers, fill = 0): Float64Array =>
  Float64Array.from(moves, (from) => (from < 0 ? fill : input[from]!));

export function movedBack(moves: Moves, { length }: Numbers, gradOutput: Numbers): Float64Array {
  const grad = new Float64Array(length);
  moves.forEach((from, i) => {
    if (from >= 0) grad[from]! += gradOutput[i]!;
  });
  return grad;
}
