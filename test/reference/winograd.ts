// Winograd's F(2x2, 3x3) on absolute values in float64: the scale at which its rounding errors arise. By matrices, as in Lavin
// and Gray's paper, tile by tile.
import { outputOf, type Problem } from "./conv2d.ts";

type Numbers = ArrayLike<number>;
type Matrix = readonly (readonly number[])[];

const OF_PIXELS: Matrix = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const OF_TAPS: Matrix = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];
const OF_PRODUCTS: Matrix = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

/** |m| |x| |m|^T */
function around(m: Matrix, x: Matrix): number[][] {
  return m.map((rows) =>
    m.map((columns) =>
      rows.reduce(
        (sum, row, i) =>
          sum + columns.reduce((inner, column, j) => inner + Math.abs(row) * Math.abs(x[i]![j]!) * Math.abs(column), 0),
        0,
      ),
    ),
  );
}

/** Magnitudes of a 3x3 convolution's outputs. Of the problem, stride, dilation and groups are 1. */
export function magnitudesOf(p: Problem, input: Numbers, weight: Numbers): Float64Array {
  const { batch, height, width, channels, filters } = p;
  const [outHeight, outWidth] = outputOf(p);
  const [top, , left] = p.padding;
  const result = new Float64Array(batch * outHeight * outWidth * filters);
  const square = (side: number, of: (i: number, j: number) => number): Matrix =>
    Array.from({ length: side }, (_, i) => Array.from({ length: side }, (_, j) => of(i, j)));
  const taps = Array.from({ length: channels * filters }, (_, at) =>
    around(
      OF_TAPS,
      square(3, (r, s) => weight[(3 * r + s) * channels * filters + at]!),
    ),
  );
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < outHeight; y += 2) {
      for (let x = 0; x < outWidth; x += 2) {
        const pixels = Array.from({ length: channels }, (_, c) =>
          around(
            OF_PIXELS,
            square(4, (i, j) => {
              const [h, w] = [y + i - top, x + j - left];
              const inside = h >= 0 && h < height && w >= 0 && w < width;
              return inside ? input[((n * height + h) * width + w) * channels + c]! : 0;
            }),
          ),
        );
        for (let k = 0; k < filters; k++) {
          const products = square(4, (i, j) =>
            pixels.reduce((sum, terms, c) => sum + terms[i]![j]! * taps[c * filters + k]![i]![j]!, 0),
          );
          around(OF_PRODUCTS, products).forEach((row, i) =>
            row.forEach((value, j) => {
              if (y + i < outHeight && x + j < outWidth)
                result[((n * outHeight + y + i) * outWidth + x + j) * filters + k] = value;
            }),
          );
        }
      }
    }
  }
  return result;
}

/** The convolution that is the gradient of another one's image: its problem, and its weight `[3,3,K,C]`. */
export function gradientOf(p: Problem, weight: Numbers): { readonly problem: Problem; readonly weight: Float64Array } {
  const [height, width] = outputOf(p);
  const { channels, filters } = p;
  const [top, , left] = p.padding;
  const turned = Float64Array.from({ length: weight.length }, (_, at) => {
    const [c, k] = [at % channels, Math.floor(at / channels) % filters];
    const tap = 8 - Math.floor(at / channels / filters);
    return weight[(tap * channels + c) * filters + k]!;
  });
  const padding = [2 - top, p.height - height + top, 2 - left, p.width - width + left] as const;
  return { problem: { ...p, height, width, channels: filters, filters: channels, padding }, weight: turned };
}
