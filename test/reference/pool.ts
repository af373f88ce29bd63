// Float64 definitions of pooling: every window as the list of its pixels.
import { linear, transposed, type Image } from "./images.ts";

type Numbers = ArrayLike<number>;

export interface Problem extends Image {
  readonly window: readonly [h: number, w: number];
  readonly stride: readonly [h: number, w: number];
  readonly padding: readonly [h: number, w: number];
  readonly countIncludePad: boolean;
}

const holds = (p: Problem, axis: 0 | 1, out: number, at: number): boolean => {
  const tap = at - (out * p.stride[axis] - p.padding[axis]);
  return tap >= 0 && tap < p.window[axis];
};

/** Output height and width: the positions where the window fits into the padded image. */
export function outputOf(p: Problem): readonly [number, number] {
  const places = (extent: number, axis: 0 | 1) => {
    let count = 0;
    while (count * p.stride[axis] + p.window[axis] <= extent + 2 * p.padding[axis]) count++;
    return count;
  };
  return [places(p.height, 0), places(p.width, 1)];
}

const countAlong = (p: Problem, axis: 0 | 1, out: number): number =>
  p.countIncludePad
    ? p.window[axis]
    : Array.from({ length: axis === 0 ? p.height : p.width }, (_, at) => at).filter((at) => holds(p, axis, out, at))
        .length;

const weightOf = (p: Problem) => (out: number, column: number, h: number, w: number) =>
  holds(p, 0, out, h) && holds(p, 1, column, w) ? 1 / (countAlong(p, 0, out) * countAlong(p, 1, column)) : 0;

export const average = (p: Problem, input: Numbers): Float64Array => linear(p, input, outputOf(p), weightOf(p));

export const averageBackward = (p: Problem, gradOutput: Numbers): Float64Array =>
  transposed(p, gradOutput, outputOf(p), weightOf(p));

/** For each output element the index of its maximum in the input, the first of several. */
function winners(p: Problem, input: Numbers): number[] {
  const [rows, columns] = outputOf(p);
  return Array.from({ length: p.batch * rows * columns * p.channels }, (_, i) => {
    const [c, position] = [i % p.channels, Math.floor(i / p.channels)];
    const [column, row, n] = [
      position % columns,
      Math.floor(position / columns) % rows,
      Math.floor(position / columns / rows),
    ];
    const pixels = Array.from({ length: p.height * p.width }, (_, pixel) => pixel)
      .filter((pixel) => holds(p, 0, row, Math.floor(pixel / p.width)) && holds(p, 1, column, pixel % p.width))
      .map((pixel) => (n * p.height * p.width + pixel) * p.channels + c);
    return pixels.reduce((best, at) => (input[at]! > input[best]! ? at : best));
  });
}

export const maximum = (p: Problem, input: Numbers): Float64Array =>
  Float64Array.from(winners(p, input), (at) => input[at]!);

export function maximumBackward(p: Problem, input: Numbers, gradOutput: Numbers): Float64Array {
  const gradInput = new Float64Array(input.length);
  winners(p, input).forEach((at, i) => (gradInput[at]! += gradOutput[i]!));
  return gradInput;
}

/** Images reduced to one value for each channel. Equal maxima share the gradient. */
export function globalValues(image: Image, input: Numbers, kind: "average" | "maximum"): Float64Array {
  return Float64Array.from(planes(image), (plane) => {
    const values = plane.map((at) => input[at]!);
    return kind === "maximum" ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

export function globalBackward(
  image: Image,
  input: Numbers,
  gradOutput: Numbers,
  kind: "average" | "maximum",
): Float64Array {
  const gradInput = new Float64Array(input.length);
  planes(image).forEach((plane, i) => {
    const most = Math.max(...plane.map((at) => input[at]!));
    const sharing = kind === "maximum" ? plane.filter((at) => input[at] === most) : plane;
    for (const at of sharing) gradInput[at] = gradOutput[i]! / sharing.length;
  });
  return gradInput;
}

/** The indices of the pixels of each image and channel. */
const planes = ({ batch, height, width, channels }: Image): number[][] =>
  Array.from({ length: batch * channels }, (_, i) =>
    Array.from(
      { length: height * width },
      (_, pixel) => (Math.floor(i / channels) * height * width + pixel) * channels + (i % channels),
    ),
  );
