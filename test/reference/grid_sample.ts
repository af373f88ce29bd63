// Float64 definition of grid_sample: the tent sum exactly as in the formula, over every pixel. Slow on purpose. It
// shares no code and no case distinction with the WGSL.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly alignCorners: boolean;
  /** Default "bilinear". */
  readonly mode?: "bilinear" | "nearest";
  /** Default "zeros". */
  readonly paddingMode?: "zeros" | "border" | "reflection";
}

const tent = (t: number): number => Math.max(0, 1 - Math.abs(t));

const roundHalfEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The place that a position on an axis of `size` pixels reads, and its derivative with respect to the position. */
function padded(p: Problem, size: number, position: number): readonly [at: number, slope: number] {
  if ((p.paddingMode ?? "zeros") === "zeros") return [position, 1];
  let [at, slope] = [position, 1];
  if (p.paddingMode === "reflection") {
    const [low, high] = p.alignCorners ? [0, size - 1] : [-0.5, size - 0.5];
    if (low === high) return [0, 0];
    while (at < low || at > high) {
      at = (at < low ? 2 * low : 2 * high) - at;
      slope = -slope;
    }
  }
  return at > 0 && at < size - 1 ? [at, slope] : [Math.min(Math.max(at, 0), size - 1), 0];
}

/** Pixel position of each sample, interleaved (x, y), and its slope with respect to the grid. */
function placesOf(p: Problem, grid: Numbers): { readonly at: Float64Array; readonly slope: Float64Array } {
  const at = new Float64Array(grid.length);
  const slope = new Float64Array(grid.length);
  for (let i = 0; i < grid.length; i++) {
    const size = i % 2 === 0 ? p.width : p.height;
    const stated = p.alignCorners ? ((grid[i]! + 1) / 2) * (size - 1) : ((grid[i]! + 1) * size - 1) / 2;
    const [position, moved] = padded(p, size, stated);
    at[i] = p.mode === "nearest" ? roundHalfEven(position) : position;
    slope[i] = p.mode === "nearest" ? 0 : (moved * (p.alignCorners ? size - 1 : size)) / 2;
  }
  return { at, slope };
}

/** Every (sample, pixel) pair of the same image, in order, with the sample's distance from the pixel. */
function* pairs(p: Problem, grid: Numbers) {
  const { at } = placesOf(p, grid);
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

/** The scatter of the definition; `weigh` replaces the tent. */
export function backwardInput(p: Problem, grid: Numbers, gradOutput: Numbers, weigh = tent): Float64Array {
  const grad = new Float64Array(p.batch * p.height * p.width * p.channels);
  for (const { s, pixel, dx, dy } of pairs(p, grid)) {
    const weight = weigh(dx) * weigh(dy);
    for (let c = 0; c < p.channels; c++) grad[pixel * p.channels + c]! += weight * gradOutput[s * p.channels + c]!;
  }
  return grad;
}

/** Right derivative of tent, as at d = position - pixel: +1 on [-1, 0), -1 on [0, 1). */
const tentSlope = (d: number): number => (d >= -1 && d < 0 ? 1 : d >= 0 && d < 1 ? -1 : 0);

export function backwardGrid(p: Problem, input: Numbers, grid: Numbers, gradOutput: Numbers): Float64Array {
  const grad = new Float64Array(grid.length);
  const scale = placesOf(p, grid).slope;
  for (const { s, pixel, dx, dy } of pairs(p, grid)) {
    let dot = 0;
    for (let c = 0; c < p.channels; c++) dot += gradOutput[s * p.channels + c]! * input[pixel * p.channels + c]!;
    grad[2 * s]! += dot * tentSlope(dx) * tent(dy) * scale[2 * s]!;
    grad[2 * s + 1]! += dot * tent(dx) * tentSlope(dy) * scale[2 * s + 1]!;
  }
  return grad;
}
