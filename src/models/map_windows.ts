import { divide, maximum, minimum, multiply } from "../ops/elementwise.ts";
import { averagePool } from "../ops/pool.ts";
import { max } from "../ops/reduce.ts";
import { reshape } from "../ops/shape.ts";
import { fromArray, type Tensor } from "../tensor/tensor.ts";

/** GRAD smooths maps with 21 x 21 and scores them with 32 x 32 means at 224 pixels; in proportion at other sizes. */
function windowsOf({ shape }: Tensor): { readonly smoothing: number; readonly window: number } {
  const scale = shape[1]! / 224;
  return { smoothing: 2 * Math.round((21 * scale - 1) / 2) + 1, window: Math.max(1, Math.round(32 * scale)) };
}

// A box is separable, and so is the number of its pixels inside the image. Along a column, a row's pixels are channels: they travel in packs.

/** The mean around each pixel of `[N, S, S, 1]`. */
export function smoothed(pixels: Tensor): Tensor {
  const { smoothing } = windowsOf(pixels);
  const half = (smoothing - 1) / 2;
  const columns = averagePool(columnsOf(pixels), [smoothing, 1], { stride: 1, padding: [half, 0], countIncludePad: false });
  return averagePool(reshape(columns, pixels.shape), [1, smoothing], { stride: 1, padding: [0, half], countIncludePad: false });
}

/** The mean over each window inside the image. */
export function windowMeans(map: Tensor): Tensor {
  const { window } = windowsOf(map);
  const columns = averagePool(columnsOf(map), [window, 1], { stride: 1 });
  const [batch, height, , width] = columns.shape as [number, number, number, number];
  return averagePool(reshape(columns, [batch, height, width, 1]), [1, window], { stride: 1 });
}

/** `[N, H, W, 1]` -> `[N, H, 1, W]` */
const columnsOf = (map: Tensor): Tensor => {
  const [batch, height, width] = map.shape as [number, number, number];
  return reshape(map, [batch, height, 1, width]);
};

/** The mean of what counts around each pixel, so that nothing leaks in from outside; 0 at pixels that do not count. */
export function smoothedWithin(pixels: Tensor, counted: Tensor): Tensor {
  const least = fromArray(pixels.device, [1], Float32Array.of(0.5 / windowsOf(pixels).smoothing ** 2)); // half of what one pixel makes
  return multiply(divide(smoothed(multiply(pixels, counted)), maximum(smoothed(counted), least)), counted);
}

/**
 * The mean of what counts in each window. One of which less than half counts is divided by half, or a few pixels at the
 * border would speak for a window; where no window has half, by the most that one has.
 */
export function windowMeansWithin(map: Tensor, counted: Tensor): Tensor {
  const shares = windowMeans(counted);
  const most = reshape(max(shares, [1, 2, 3]), [counted.shape[0]!, 1, 1, 1]);
  const enough = minimum(most, fromArray(map.device, [1], Float32Array.of(0.5)));
  return divide(windowMeans(map), maximum(shares, enough));
}
