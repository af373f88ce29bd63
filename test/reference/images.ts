// Float64 definitions of image operations that consist of weights. All NHWC, with unchanged channels.

export interface Image {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** output[n,p,q,c] = sum over h,w of weight(p, q, h, w) * input[n,h,w,c]. */
export function linear(
  image: Image,
  input: ArrayLike<number>,
  [rows, columns]: readonly [number, number],
  weight: (p: number, q: number, h: number, w: number) => number,
): Float64Array {
  const { batch, height, width, channels } = image;
  const output = new Float64Array(batch * rows * columns * channels);
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < rows; p++)
      for (let q = 0; q < columns; q++)
        for (let h = 0; h < height; h++)
          for (let w = 0; w < width; w++) {
            const factor = weight(p, q, h, w);
            if (factor === 0) continue;
            for (let c = 0; c < channels; c++)
              output[((n * rows + p) * columns + q) * channels + c]! +=
                factor * input[((n * height + h) * width + w) * channels + c]!;
          }
  return output;
}

/** The transpose of `linear`: gradInput[n,h,w,c] = sum over p,q of weight(p, q, h, w) * gradOutput[n,p,q,c]. */
export function transposed(
  { batch, height, width, channels }: Image,
  gradOutput: ArrayLike<number>,
  [rows, columns]: readonly [number, number],
  weight: (p: number, q: number, h: number, w: number) => number,
): Float64Array {
  return linear({ batch, height: rows, width: columns, channels }, gradOutput, [height, width], (h, w, p, q) =>
    weight(p, q, h, w),
  );
}

export const tent = (t: number): number => Math.max(0, 1 - Math.abs(t));

/** Weight of input pixel `at` in output pixel `out` of Pillow's antialiased triangle filter along one axis. */
export function antialiased(out: number, at: number, outExtent: number, extent: number): number {
  const scale = extent / outExtent;
  const reach = Math.max(scale, 1);
  const weigh = (i: number) => tent((i + 0.5 - (out + 0.5) * scale) / reach);
  let total = 0;
  for (let i = 0; i < extent; i++) total += weigh(i);
  return weigh(at) / total;
}
