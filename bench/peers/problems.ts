// The work for the comparison: GRAD's shapes, seeded inputs, and expected results by the float64 definitions that the
// kernels are tested against.
import type { Input, Inputs } from "./input.ts";
import { bottleneckForward, bottleneckGradients, bottleneckParameters, BOTTLENECK, NORM_EPS } from "./bottleneck.ts";
import * as conv2d from "../../test/reference/conv2d.ts";
import * as depthwise from "../../test/reference/depthwise_conv2d.ts";
import * as blur from "../../test/reference/gaussian_blur.ts";
import * as gridSample from "../../test/reference/grid_sample.ts";
import * as matmul from "../../test/reference/matmul.ts";

/** One row of the comparison. */
export interface Problem {
  /** Unique name of the row. */
  readonly name: string;
  /** Its name in a library's table of cases. Default: `name`. */
  readonly kind?: string;
  /** Its name in the printed table. */
  readonly title: string;
  readonly inputs: Inputs;
  /** Inputs other than tensors. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Selects the values to compare from a library's outputs. Default: the outputs. */
  readonly observed?: (outputs: readonly Float32Array[]) => readonly ArrayLike<number>[];
  /** The expected values in float64, in the layouts of `Input`. Computed anew by each call. */
  readonly expected: () => readonly ArrayLike<number>[];
  /** Largest relative error of an output, in the L2 norm. */
  readonly tolerance: number;
  /** Number of images per run; the rate of images and the memory are then reported. */
  readonly images?: number;
}

const [SIDE, CHANNELS, WIDE, NARROW] = [28, 544, 864, 64];
const [GRID_SIDE, GRID_CHANNELS] = [8, 272];
const POSITIONS = SIDE * SIDE;
const TOLERANCE = 1e-5; // of sums of up to 864 products in f32
const SMALL = 1024;
const SMALL_OPERATIONS = 1000;
const BLUR = { size: 9, sigma: 2 } as const;
const LEARNING_RATE = 1; // large, so that a step's change stands out from the rounding of the weights

/** Numbers in [-scale, scale) from the generator mulberry32. */
export function seeded(count: number, seed: number, scale = 1): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (2 * (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) - 1) * scale;
  });
}

export const input = (shape: readonly number[], seed: number, scale = 1): Input => ({
  shape,
  data: seeded(
    shape.reduce((n, d) => n * d, 1),
    seed,
    scale,
  ),
});

/** A function of two inputs, and their gradients for a given output gradient. */
function pair(
  name: string,
  title: string,
  inputs: Inputs,
  gradOutput: Input,
  forward: () => ArrayLike<number>,
  backward: () => ArrayLike<number>[],
): Problem[] {
  return [
    { name, title, inputs, expected: () => [forward()], tolerance: TOLERANCE },
    {
      name: `${name}Gradients`,
      title: "its two gradients",
      inputs: { ...inputs, gradOutput },
      expected: backward,
      tolerance: TOLERANCE,
    },
  ];
}

function products(): Problem[] {
  const [a, b, gradOutput] = [
    input([POSITIONS, CHANNELS], 1),
    input([CHANNELS, WIDE], 2, 0.05),
    input([POSITIONS, WIDE], 3),
  ];
  const problem = { batch: 1, m: POSITIONS, n: WIDE, k: CHANNELS };
  const forward = () => matmul.forward(problem, a.data, b.data, new Float32Array(WIDE));
  const backward = () => matmul.backward(problem, a.data, b.data, gradOutput.data).slice(0, 2);
  const image = (matrix: Input): Input => ({ shape: [1, SIDE, SIDE, matrix.shape[1]!], data: matrix.data });
  const weight: Input = { shape: [1, 1, CHANNELS, WIDE], data: b.data };
  return [
    ...pair(
      "matmul",
      `matmul [${POSITIONS},${CHANNELS}] x [${CHANNELS},${WIDE}]`,
      { a, b },
      gradOutput,
      forward,
      backward,
    ),
    ...pair(
      "pointwise",
      `pointwise ${SIDE}x${SIDE}, ${CHANNELS} to ${WIDE}`,
      { image: image(a), weight },
      image(gradOutput),
      forward,
      backward,
    ),
  ];
}

const GEOMETRY = {
  batch: 1,
  height: SIDE,
  width: SIDE,
  window: [3, 3],
  stride: [1, 1],
  dilation: [1, 1],
  padding: [1, 1, 1, 1],
} as const;

function convolutions(): Problem[] {
  const dense = { ...GEOMETRY, channels: NARROW, filters: NARROW, groups: 1 };
  const [image, weight, gradOutput] = [
    input([1, SIDE, SIDE, NARROW], 4),
    input([3, 3, NARROW, NARROW], 5, 0.05),
    input([1, SIDE, SIDE, NARROW], 6),
  ];
  const thin = { ...GEOMETRY, channels: WIDE };
  const [planes, windows, gradPlanes] = [
    input([1, SIDE, SIDE, WIDE], 7),
    input([3, 3, WIDE], 8),
    input([1, SIDE, SIDE, WIDE], 9),
  ];
  return [
    ...pair(
      "conv3x3",
      `3x3, ${SIDE}x${SIDE}x${NARROW} to ${NARROW}`,
      { image, weight },
      gradOutput,
      () => conv2d.forward(dense, image.data, weight.data),
      () => conv2d.backward(dense, image.data, weight.data, gradOutput.data),
    ),
    ...pair(
      "depthwise",
      `depthwise 3x3, ${SIDE}x${SIDE}x${WIDE}`,
      { image: planes, weight: windows },
      gradPlanes,
      () => depthwise.forward(thin, planes.data, windows.data),
      () => depthwise.backward(thin, planes.data, windows.data, gradPlanes.data),
    ),
  ];
}

function sampling(): Problem[] {
  const image = input([1, GRID_SIDE, GRID_SIDE, GRID_CHANNELS], 10);
  const grid = input([1, SIDE, SIDE, 2], 11, 0.999); // inside the image, as libraries differ outside
  const gradOutput = input([1, SIDE, SIDE, GRID_CHANNELS], 12);
  const problem = {
    batch: 1,
    height: GRID_SIDE,
    width: GRID_SIDE,
    channels: GRID_CHANNELS,
    outHeight: SIDE,
    outWidth: SIDE,
    alignCorners: true,
  };
  const title = `grid_sample, ${POSITIONS} points of ${GRID_SIDE}x${GRID_SIDE}x${GRID_CHANNELS}`;
  return [
    {
      name: "gridSample",
      title,
      inputs: { image, grid },
      expected: () => [gridSample.forward(problem, image.data, grid.data)],
      tolerance: TOLERANCE,
    },
    {
      name: "gridSampleGradient",
      title: "its image's gradient",
      inputs: { image, grid, gradOutput },
      expected: () => [gridSample.backwardInput(problem, grid.data, gradOutput.data)],
      tolerance: TOLERANCE,
    },
  ];
}

function blurring(): Problem {
  const image = input([1, SIDE, SIDE, GRID_CHANNELS], 13);
  const problem = { batch: 1, height: SIDE, width: SIDE, channels: GRID_CHANNELS, border: "zeros", ...BLUR } as const;
  const title = `Gaussian blur ${BLUR.size}x${BLUR.size}, ${SIDE}x${SIDE}x${GRID_CHANNELS}`;
  const bell = Array.from({ length: BLUR.size }, (_, i) =>
    Math.exp(-((i - (BLUR.size - 1) / 2) ** 2) / (2 * BLUR.sigma ** 2)),
  );
  const taps = Float32Array.from(bell, (tap) => tap / bell.reduce((sum, each) => sum + each, 0));
  return {
    name: "blur",
    title,
    inputs: { image },
    settings: { ...BLUR, taps },
    expected: () => [blur.forward(problem, image.data)],
    tolerance: TOLERANCE,
  };
}

function bottlenecks(): Problem[] {
  const { side, channels, expanded } = BOTTLENECK;
  const parameters = bottleneckParameters(input);
  const inputs = {
    image: input([1, side, side, channels], 21),
    target: input([1, side, side, channels], 22),
    ...parameters,
  };
  const expected = (): ArrayLike<number>[] => {
    const { loss, gradients } = bottleneckGradients(inputs);
    return [[loss], ...gradients];
  };
  /** The loss, and the gradients recovered from the parameters after the step. */
  const observed = ([loss, ...stepped]: readonly Float32Array[]): ArrayLike<number>[] => {
    const before = Object.values(parameters).map(({ data }) => data);
    return [loss!, ...stepped.map((data, i) => data.map((value, j) => (before[i]![j]! - value) / LEARNING_RATE))];
  };
  return [
    {
      name: "bottleneck",
      title: `MobileNetV3 bottleneck ${channels}-${expanded}-${channels}, forward and loss`,
      inputs,
      settings: { normEps: NORM_EPS },
      expected: () => [[bottleneckForward(inputs).loss]],
      tolerance: 1e-4,
    },
    {
      name: "bottleneckStep",
      title: "the same, one training step (forward, backward, SGD)",
      inputs,
      settings: { normEps: NORM_EPS, learningRate: LEARNING_RATE },
      observed,
      expected,
      tolerance: 2e-3,
    },
  ];
}

function smallOperations(): Problem {
  const ones: Input = { shape: [SMALL], data: new Float32Array(SMALL).fill(1) };
  return {
    name: "smallOperations",
    title: `${SMALL_OPERATIONS} additions of ${SMALL} numbers, one behind the other`,
    inputs: { a: ones, b: ones },
    settings: { count: SMALL_OPERATIONS },
    expected: () => [new Float64Array(SMALL).fill(SMALL_OPERATIONS + 1)],
    tolerance: 0,
  };
}

/** Every row except those of the networks. */
export const problems = (): Problem[] => [
  ...products(),
  ...convolutions(),
  ...sampling(),
  blurring(),
  ...bottlenecks(),
  smallOperations(),
];

/** |got - want| / |want| in the L2 norm; Infinity if their lengths differ. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity;
  let [difference, norm] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    difference += (got[i]! - want[i]!) ** 2;
    norm += want[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

/** The largest relative error of a library's outputs. */
export function errorOf(
  { observed }: Problem,
  outputs: readonly Float32Array[],
  expected: readonly ArrayLike<number>[],
): number {
  const got = observed?.(outputs) ?? outputs;
  if (got.length !== expected.length) return Infinity;
  return Math.max(...expected.map((want, i) => relativeError(got[i]!, want)));
}
