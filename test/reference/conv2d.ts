// Float64 definition of the convolution: every product of the sum, and nothing else.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly filters: number;
  readonly groups: number;
  readonly window: readonly [h: number, w: number];
  readonly stride: readonly [h: number, w: number];
  readonly dilation: readonly [h: number, w: number];
  readonly padding: readonly [top: number, bottom: number, left: number, right: number];
}

/** The number of positions where the dilated window fits into the padded axis. */
function places(extent: number, taps: number, stride: number, dilation: number): number {
  let count = 0;
  while (count * stride + (taps - 1) * dilation < extent) count++;
  return count;
}

/** Output height and width. */
export function outputOf({ height, width, window, stride, dilation, padding }: Problem): readonly [number, number] {
  const [top, bottom, left, right] = padding;
  return [
    places(height + top + bottom, window[0], stride[0], dilation[0]),
    places(width + left + right, window[1], stride[1], dilation[1]),
  ];
}

/** Indices of the factors and the output element of every product whose input lies in the image. */
function* products(p: Problem) {
  const [outHeight, outWidth] = outputOf(p);
  const [top, , left] = p.padding;
  const groupChannels = p.channels / p.groups;
  const groupFilters = p.filters / p.groups;
  let output = 0;
  for (let n = 0; n < p.batch; n++) {
    for (let y = 0; y < outHeight; y++) {
      for (let x = 0; x < outWidth; x++) {
        for (let k = 0; k < p.filters; k++, output++) {
          for (let r = 0; r < p.window[0]; r++) {
            for (let s = 0; s < p.window[1]; s++) {
              const h = y * p.stride[0] + r * p.dilation[0] - top;
              const w = x * p.stride[1] + s * p.dilation[1] - left;
              if (h < 0 || h >= p.height || w < 0 || w >= p.width) continue;
              for (let c = 0; c < groupChannels; c++) {
                const channel = Math.floor(k / groupFilters) * groupChannels + c;
                const input = ((n * p.height + h) * p.width + w) * p.channels + channel;
                yield { input, weight: ((r * p.window[1] + s) * groupChannels + c) * p.filters + k, output };
              }
            }
          }
        }
      }
    }
  }
}

export function forward(p: Problem, input: Numbers, weight: Numbers): Float64Array {
  const [outHeight, outWidth] = outputOf(p);
  const output = new Float64Array(p.batch * outHeight * outWidth * p.filters);
  for (const at of products(p)) output[at.output]! += input[at.input]! * weight[at.weight]!;
  return output;
}

export function backward(p: Problem, input: Numbers, weight: Numbers, gradOutput: Numbers): Float64Array[] {
  const [gradInput, gradWeight] = [new Float64Array(input.length), new Float64Array(weight.length)];
  for (const at of products(p)) {
    gradInput[at.input]! += gradOutput[at.output]! * weight[at.weight]!;
    gradWeight[at.weight]! += gradOutput[at.output]! * input[at.input]!;
  }
  return [gradInput, gradWeight];
}
