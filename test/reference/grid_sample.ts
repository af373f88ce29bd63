// Float64 definition of grid_sample: the tent sum, written as the formula is, over every pixel.
// Slow on purpose. It shares no code and no case analysis with the WGSL.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly alignCorners: boolean;
}

const tent = (t: number): number => Math.max(0, 1 - Math.abs(t));

/** Pixel position of each sample, interleaved (x, y). */
function positions(p: Problem, grid: Numbers): Float64Array {
  return Float64Array.from(grid, (g, i) => {
    const size = i % 2 === 0 ? p.width : p.height;
    return p.alignCorners ? ((g + 1) / 2) * (size - 1) : ((g + 1) * size - 1) / 2;
  });
}

/** Every (sample, pixel) pair of the same image, in order, and how far the sample is from the pixel. */
function* pairs(p: Problem, grid: Numbers) {
  const at = positions(p, grid);
  const perImage = p.outHeight * p.outWidth;
  for (let s = 0; s < p.batch * perImage; s++) {
    const n = Math.floor(s / perImage);
    for (let h = 0; h < p.height; h++) {
      for (let w = 0; w < p.width; w++) {
        yield { s, pixel: (n * p.height + h) * p.width + w, dx: at[2 * s]! - w, dy: at[2 * s + 1]! - h };
      }
    }
  }
}

export function forward(p: Problem, input: Numbers, grid: Numbers): Float64Array {
  const output = new Float64Array(p.batch * p.outHeight * p.outWidth * p.channels);
  for (const { s, pixel, dx, dy } of pairs(p, grid)) {
    const weight = tent(dx) * tent(dy);
    for (let c = 0; c < p.channels; c++) output[s * p.channels + c]! += weight * input[pixel * p.channels + c]!;
  }
  return output;
}

/** The scatter that the definition asks for; `weigh` stands for the tent. */
export function backwardInput(p: Problem, grid: Numbers, gradOutput: Numbers, weigh = tent): Float64Array {
  const grad = new Float64Array(p.batch * p.height * p.width * p.channels);
  for (const { s, pixel, dx, dy } of pairs(p, grid)) {
    const weight = weigh(dx) * weigh(dy);
    for (let c = 0; c < p.channels; c++) grad[pixel * p.channels + c]! += weight * gradOutput[s * p.channels + c]!;
  }
  return grad;
}

/** Right derivative of tent, as at d = position - pixel: +1 on [-1, 0), -1 on [0, 1). */
const slope = (d: number): number => (d >= -1 && d < 0 ? 1 : d >= 0 && d < 1 ? -1 : 0);

export function backwardGrid(p: Problem, input: Numbers, grid: Numbers, gradOutput: Numbers): Float64Array {
  const grad = new Float64Array(grid.length);
  const [scaleX, scaleY] = [p.width, p.height].map((size) => (p.alignCorners ? size - 1 : size) / 2) as [number, number];
  for (const { s, pixel, dx, dy } of pairs(p, grid)) {
    let dot = 0;
    for (let c = 0; c < p.channels; c++) dot += gradOutput[s * p.channels + c]! * input[pixel * p.channels + c]!;
    grad[2 * s]! += dot * slope(dx) * tent(dy) * scaleX;
    grad[2 * s + 1]! += dot * tent(dx) * slope(dy) * scaleY;
  }
  return grad;
}
