// Float64 definition of resizing: the weight of every input pixel in every output pixel.
import { antialiased, linear, tent, transposed, type Image } from "./images.ts";

type Numbers = ArrayLike<number>;

export interface Problem extends Image {
  readonly size: readonly [height: number, width: number];
  readonly mode: "bilinear" | "nearest";
  readonly alignCorners: boolean;
  readonly antialias: boolean;
}

/** Weight of input pixel `at` in output pixel `out`, along one axis. */
function weightAlong(
  { mode, alignCorners, antialias }: Problem,
  out: number,
  at: number,
  outExtent: number,
  extent: number,
): number {
  if (antialias) return antialiased(out, at, outExtent, extent);
  const corners = outExtent === 1 ? 0 : (out * (extent - 1)) / (outExtent - 1);
  if (mode === "nearest")
    return at === (alignCorners ? Math.floor(corners + 0.5) : Math.floor((out * extent) / outExtent)) ? 1 : 0;
  const y = alignCorners ? corners : ((out + 0.5) * extent) / outExtent - 0.5;
  return tent(Math.min(Math.max(y, 0), extent - 1) - at);
}

/** Largest number of pixels of the input that one of the output depends on along one axis, or the reverse. */
export function longestSum(p: Problem): number {
  const counts = [
    [p.height, p.size[0]],
    [p.width, p.size[1]],
  ].flatMap(([extent, outExtent]) => {
    const rowOf = (out: number) =>
      Array.from({ length: extent! }, (_, at) => weightAlong(p, out, at, outExtent!, extent!));
    const weights = Array.from({ length: outExtent! }, (_, out) => rowOf(out));
    const seen = weights.map((row) => row.filter((weight) => weight > 0).length);
    const looking = weights[0]!.map((_, at) => weights.filter((row) => row[at]! > 0).length);
    return [...seen, ...looking];
  });
  return Math.max(...counts);
}

const weightOf = (p: Problem) => (out: number, column: number, h: number, w: number) =>
  weightAlong(p, out, h, p.size[0], p.height) * weightAlong(p, column, w, p.size[1], p.width);

export const forward = (p: Problem, input: Numbers): Float64Array => linear(p, input, p.size, weightOf(p));

export const backward = (p: Problem, gradOutput: Numbers): Float64Array =>
  transposed(p, gradOutput, p.size, weightOf(p));
