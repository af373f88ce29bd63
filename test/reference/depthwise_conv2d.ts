// Float64 definition of the depthwise convolution: one plane of the image and one of the weight, channel by channel.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly window: readonly [h: number, w: number];
  readonly stride: readonly [h: number, w: number];
  readonly dilation: readonly [h: number, w: number];
  readonly padding: readonly [top: number, bottom: number, left: number, right: number];
}

/** Output height and width: the positions where the dilated window fits into the padded image. */
export function outputOf({ height, width, window, stride, dilation, padding }: Problem): readonly [number, number] {
  const places = (extent: number, axis: 0 | 1) => {
    let count = 0;
    while (count * stride[axis] + (window[axis] - 1) * dilation[axis] < extent) count++;
    return count;
  };
  const [top, bottom, left, right] = padding;
  return [places(height + top + bottom, 0), places(width + left + right, 1)];
}

/** Indices of the factors and the output element of every product whose input lies in the image. */
function* products(p: Problem) {
  const [outHeight, outWidth] = outputOf(p);
  const [top, , left] = p.padding;
  for (let c = 0; c < p.channels; c++) {
    for (let n = 0; n < p.batch; n++) {
      for (let y = 0; y < outHeight; y++) {
        for (let x = 0; x < outWidth; x++) {
          for (let r = 0; r < p.window[0]; r++) {
            for (let s = 0; s < p.window[1]; s++) {
              const h = y * p.stride[0] + r * p.dilation[0] - top;
              const w = x * p.stride[1] + s * p.dilation[1] - left;
              if (h < 0 || h >= p.height || w < 0 || w >= p.width) continue;
              yield {
                input: ((n * p.height + h) * p.width + w) * p.channels + c,
                weight: (r * p.window[1] + s) * p.channels + c,
                output: ((n * outHeight + y) * outWidth + x) * p.channels + c,
              };
            }
          }
        }
      }
    }
  }
}

export function forward(p: Problem, input: Numbers, weight: Numbers): Float64Array {
  const [outHeight, outWidth] = outputOf(p);
  const output = new Float64Array(p.batch * outHeight * outWidth * p.channels);
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
