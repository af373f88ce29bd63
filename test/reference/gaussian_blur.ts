// Float64 definition of the Gaussian blur: the weight of every input pixel in every output pixel.
import { linear, transposed, type Image } from "./images.ts";

type Numbers = ArrayLike<number>;

export interface Problem extends Image {
  readonly size: number;
  readonly sigma: number;
  readonly border: "reflect" | "replicate" | "zeros";
}

/** The pixel read at a position, one step at a time; null for none. */
function pixelAt(at: number, extent: number, border: Problem["border"]): number | null {
  if (at >= 0 && at < extent) return at;
  if (border === "zeros") return null;
  if (border === "replicate" || extent === 1) return at < 0 ? 0 : extent - 1;
  return pixelAt(at < 0 ? -at : 2 * (extent - 1) - at, extent, border);
}

/** Weights [output pixel][input pixel] along one axis. */
function weightsAlong({ size, sigma, border }: Problem, extent: number): number[][] {
  const radius = (size - 1) / 2;
  const bell = Array.from({ length: size }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const total = bell.reduce((sum, tap) => sum + tap, 0);
  return Array.from({ length: extent }, (_, out) => {
    const row = new Array<number>(extent).fill(0);
    bell.forEach((tap, i) => {
      const at = pixelAt(out + i - radius, extent, border);
      if (at !== null) row[at]! += tap / total;
    });
    return row;
  });
}

function weightOf(p: Problem) {
  const [rows, columns] = [weightsAlong(p, p.height), weightsAlong(p, p.width)];
  return (out: number, column: number, h: number, w: number) => rows[out]![h]! * columns[column]![w]!;
}

export const forward = (p: Problem, input: Numbers): Float64Array => linear(p, input, [p.height, p.width], weightOf(p));

export const backward = (p: Problem, gradOutput: Numbers): Float64Array =>
  transposed(p, gradOutput, [p.height, p.width], weightOf(p));
