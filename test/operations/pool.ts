import { averagePool, globalAveragePool, globalMaxPool, maxPool } from "../../src/ops/pool.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import type { Image } from "../reference/images.ts";
import * as reference from "../reference/pool.ts";
import type { Problem } from "../reference/pool.ts";

/** Windows of 2x2 that tile the image, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 6,
  width: 4,
  channels: 8,
  window: [2, 2],
  stride: [2, 2],
  padding: [0, 0],
  countIncludePad: true,
  ...p,
});

/** Images whose extents and channels are odd. */
const odd = (p: Partial<Problem>): Problem => problem({ batch: 2, height: 5, width: 7, channels: 3, ...p });

const shapes = ({ batch, height, width, channels }: Image) => [[batch, height, width, channels]];

function drawProblem(draws: Draws, windows: readonly number[]): Problem {
  const window = [draws.pick(windows), draws.pick(windows)] as const;
  const padding = [draws.whole(0, Math.floor(window[0] / 2)), draws.whole(0, Math.floor(window[1] / 2))] as const;
  const extent = (axis: 0 | 1) => draws.whole(Math.max(1, window[axis] - 2 * padding[axis]), 9);
  return {
    batch: draws.whole(1, 2),
    height: extent(0),
    width: extent(1),
    channels: draws.channels(8),
    window,
    padding,
    stride: [draws.whole(1, 4), draws.whole(1, 4)],
    countIncludePad: draws.chance(),
  };
}

const averages = {
  shapes,
  run: ({ window, stride, padding, countIncludePad }, [input]) =>
    averagePool(input!, window, { stride, padding, countIncludePad }),
  forward: (p, [input]) => reference.average(p, input!),
  backward: (p, _inputs, gradOutput) => [reference.averageBackward(p, gradOutput)],
  // One rounding for each addition and 2.5 ulp, which are 5 eps, for each division; a pixel is in no more windows than
  // a window has pixels.
  slack: ({ window }) => window[0] * window[1] + 5,
} satisfies Partial<Operation<Problem>>;

export const averagePoolOperation: Operation<Problem> = {
  ...averages,
  name: "averagePool",
  problems: [
    ["one pixel", problem({ height: 1, width: 1, channels: 1, window: [1, 1], stride: [1, 1] })],
    [
      "smoothing, right at the border",
      odd({ window: [3, 5], stride: [1, 1], padding: [1, 2], countIncludePad: false }),
    ],
    ["padding that counts", odd({ window: [3, 3], stride: [2, 1], padding: [1, 1] })],
    ["an oblong window, with padding that counts", odd({ window: [3, 5], stride: [1, 2], padding: [1, 2] })],
    [
      "strides that leave a rest",
      problem({ height: 7, width: 8, window: [3, 3], stride: [3, 2], countIncludePad: false }),
    ],
    ["strides that pass over pixels", problem({ height: 9, width: 8, window: [2, 1], stride: [3, 4] })],
    [
      "a window larger than the image",
      problem({ height: 3, width: 2, window: [6, 4], stride: [1, 1], padding: [3, 2], countIncludePad: false }),
    ],
  ],
  draw: (draws) => drawProblem(draws, [1, 2, 3, 4, 5]),
  exact: null, // only windows of two, four, eight... pixels divide exactly: see averagePoolDyadicOperation
};

/** Windows whose number of pixels is a power of two, so that f32 is exact. */
export const averagePoolDyadicOperation: Operation<Problem> = {
  ...averages,
  name: "averagePool over a power of two pixels",
  problems: [
    ["windows that tile the image", problem({})],
    ["overlapping, ragged channels", problem({ batch: 2, height: 5, channels: 3, window: [4, 2], stride: [1, 1] })],
    [
      "padding that counts",
      problem({ height: 5, width: 5, channels: 5, window: [4, 2], stride: [3, 2], padding: [2, 1] }),
    ],
    [
      "padding that does not",
      problem({ height: 4, width: 6, window: [2, 4], stride: [2, 2], padding: [1, 2], countIncludePad: false }),
    ],
  ],
  draw: (draws) => ({ ...drawProblem(draws, [1, 2, 4]), countIncludePad: true }),
};

export const maxPoolOperation: Operation<Problem> = {
  name: "maxPool",
  problems: [
    ["one pixel", problem({ height: 1, width: 1, channels: 1, window: [1, 1], stride: [1, 1] })],
    ["windows that tile the image", problem({})],
    ["overlapping windows, padded", problem({ batch: 2, height: 7, width: 6, window: [3, 3], padding: [1, 1] })],
    ["ragged channels", problem({ batch: 2, height: 5, channels: 3, window: [3, 2], stride: [1, 1], padding: [1, 0] })],
    ["strides that leave a rest", problem({ height: 7, width: 8, window: [3, 3], stride: [3, 2] })],
    ["strides that pass over pixels", problem({ height: 9, width: 8, window: [2, 1], stride: [3, 4] })],
    [
      "a window larger than the image",
      problem({ height: 3, width: 2, channels: 4, window: [6, 4], stride: [1, 1], padding: [3, 2] }),
    ],
    ["one channel", problem({ height: 5, width: 5, channels: 1, window: [2, 2], stride: [1, 1] })],
  ],
  draw: (draws) => ({ ...drawProblem(draws, [1, 2, 3, 4, 5]), countIncludePad: true }),
  shapes,
  run: ({ window, stride, padding }, [input]) => maxPool(input!, window, { stride, padding }),
  forward: (p, [input]) => reference.maximum(p, input!),
  backward: (p, [input], gradOutput) => [reference.maximumBackward(p, input!, gradOutput)],
  slack: ({ window }) => window[0] * window[1], // additions of gradients; a maximum does not round
  magnitudes: (p, [input], gradOutput) => ({
    output: Array.from(reference.maximum(p, input!), Math.abs),
    grads: [reference.maximumBackward(p, input!, Array.from(gradOutput, Math.abs))],
  }),
};

const drawImage = (draws: Draws): Image => ({
  batch: draws.whole(1, 3),
  height: draws.whole(1, 20),
  width: draws.whole(1, 20),
  channels: draws.channels(),
});

const imageProblems: readonly (readonly [string, Image])[] = [
  ["one pixel", { batch: 1, height: 1, width: 1, channels: 1 }],
  ["packed channels", { batch: 2, height: 4, width: 2, channels: 8 }],
  ["ragged channels, more pixels than an invocation adds", { batch: 2, height: 16, width: 16, channels: 3 }],
];

export const globalAveragePoolOperation: Operation<Image> = {
  name: "globalAveragePool",
  problems: imageProblems,
  draw: drawImage,
  shapes,
  run: (_p, [input]) => globalAveragePool(input!),
  forward: (p, [input]) => reference.globalValues(p, input!, "average"),
  backward: (p, [input], gradOutput) => [reference.globalBackward(p, input!, gradOutput, "average")],
  slack: ({ height, width }) => height * width + 5,
  exact: null, // only images of two, four, eight... pixels divide exactly
};

export const globalMaxPoolOperation: Operation<Image> = {
  name: "globalMaxPool",
  problems: imageProblems,
  draw: drawImage,
  shapes,
  run: (_p, [input]) => globalMaxPool(input!),
  forward: (p, [input]) => reference.globalValues(p, input!, "maximum"),
  backward: (p, [input], gradOutput) => [reference.globalBackward(p, input!, gradOutput, "maximum")],
  slack: () => 6, // of the division among ties
  magnitudes: (p, [input], gradOutput) => ({
    output: Array.from(reference.globalValues(p, input!, "maximum"), Math.abs),
    grads: [reference.globalBackward(p, input!, Array.from(gradOutput, Math.abs), "maximum")],
  }),
  exact: null, // a third of a gradient is not exact
};
