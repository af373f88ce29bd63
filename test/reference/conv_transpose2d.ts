// Float64 definition of the transposed convolution: every pixel of the input adds its window to the output.

type Numbers = ArrayLike<number>;

export interface Problem {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outputs: number;
  readonly groups: number;
  readonly window: readonly [h: number, w: number];
  readonly stride: readonly [h: number, w: number];
  readonly dilation: readonly [h: number, w: number];
  readonly padding: readonly [h: number, w: number];
  readonly outputPadding: readonly [h: number, w: number];
}

/** Output height and width: one beyond the last tap of the last pixel, what is added, less what is cut off. */
export const outputOf = (p: Problem): readonly [number, number] => {
  const extent = (pixels: number, axis: 0 | 1): number => {
    const lastTap = (pixels - 1) * p.stride[axis] + (p.window[axis] - 1) * p.dilation[axis];
    return lastTap + 1 + p.outputPadding[axis] - 2 * p.padding[axis];
  };
  return [extent(p.height, 0), extent(p.width, 1)];
};

function* products(p: Problem) {
  const [outHeight, outWidth] = outputOf(p);
  const [ownInputs, ownOutputs] = [p.channels / p.groups, p.outputs / p.groups];
  for (let n = 0; n < p.batch; n++)
    for (let h = 0; h < p.height; h++)
      for (let w = 0; w < p.width; w++)
        for (let r = 0; r < p.window[0]; r++)
          for (let s = 0; s < p.window[1]; s++) {
            const y = h * p.stride[0] + r * p.dilation[0] - p.padding[0];
            const x = w * p.stride[1] + s * p.dilation[1] - p.padding[1];
            if (y < 0 || y >= outHeight || x < 0 || x >= outWidth) continue;
            for (let c = 0; c < p.channels; c++)
              for (let k = 0; k < ownOutputs; k++)
                yield {
                  input: ((n * p.height + h) * p.width + w) * p.channels + c,
                  weight: ((r * p.window[1] + s) * ownOutputs + k) * p.channels + c,
                  output: ((n * outHeight + y) * outWidth + x) * p.outputs + Math.floor(c / ownInputs) * ownOutputs + k,
                };
          }
}

export function forward(p: Problem, input: Numbers, weight: Numbers): Float64Array {
  const [outHeight, outWidth] = outputOf(p);
  const output = new Float64Array(p.batch * outHeight * outWidth * p.outputs);
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
