import * as activation from "../src/kernels/activation.ts";
import * as norm from "../src/kernels/batch_norm.ts";
import { castForward } from "../src/kernels/cast.ts";
import * as conv from "../src/kernels/conv2d.ts";
import * as depthwise from "../src/kernels/depthwise_conv2d.ts";
import { dropoutForward } from "../src/kernels/dropout.ts";
import { binaryForward } from "../src/kernels/elementwise.ts";
import { drawFeatureBlocks } from "../src/kernels/feature_block_paste.ts";
import * as grid from "../src/kernels/grid_sample.ts";
import { histogramForward } from "../src/kernels/histogram.ts";
import { imagesToTensor } from "../src/ops/images.ts";
import { matmulForward } from "../src/kernels/matmul.ts";
import { adamUpdate, sgdUpdate } from "../src/kernels/optimizer.ts";
import { normal, uniform } from "../src/kernels/random.ts";
import { reduceMiddle, sumProducts } from "../src/kernels/reduce.ts";
import { exclusiveScan } from "../src/kernels/scan.ts";
import { topKMeanForward } from "../src/kernels/top_k_mean.ts";
import type { Device } from "../src/runtime/device.ts";
import { RandomStream } from "../src/tensor/random.ts";
import { countOf, fromArray, zeros, type Shape, type Tensor } from "../src/tensor/tensor.ts";

/** One measured call. */
export interface Measured {
  /** shader.entry point, or what stands for several of them */
  readonly kernel: string;
  readonly what: string;
  /** Compulsory traffic of a call. */
  readonly bytes: number;
  /** Operations of the definition. */
  readonly flops: number;
  /** Makes the inputs; returns the call. */
  readonly prepare: (device: Device) => () => unknown;
}

const [CELLS, CHANNELS] = [28, 272];
const MAP: Shape = [1, CELLS, CELLS, CHANNELS];
const POSITIONS = CELLS * CELLS;
const COUNT = POSITIONS * CHANNELS;
const DRAW = { seed: 1, stream: 2, step: 3 };

const random = new RandomStream(1, 7);
const normals = (device: Device, shape: Shape): Tensor => fromArray(device, shape, random.normals(countOf(shape), 1));
/** Tensors of normal numbers, one for each shape, handed to a call. */
const over = (shapes: readonly Shape[], call: (...tensors: Tensor[]) => unknown) => (device: Device) => {
  const tensors = shapes.map((shape) => normals(device, shape));
  return () => call(...tensors);
};
const bytesOf = (...shapes: Shape[]): number => shapes.reduce((sum, shape) => sum + 4 * countOf(shape), 0);

const EXPANDED: Shape = [1, CELLS, CELLS, 4 * CHANNELS];
const middle = { groups: 1, extent: POSITIONS, channels: CHANNELS };
const settings = { eps: 1e-5, correction: 0 } as const;
const LOCAL: Shape = [1, 8, 8, CHANNELS];
const GRID: Shape = [1, CELLS, CELLS, 2];

export const KERNELS: readonly Measured[] = [
  { kernel: "matmul.forward", what: "784x272 times 272x1088", bytes: bytesOf(MAP, [CHANNELS, 4 * CHANNELS], EXPANDED), flops: 8 * COUNT * CHANNELS, prepare: over([[1, POSITIONS, CHANNELS], [1, CHANNELS, 4 * CHANNELS]], (a, b) => matmulForward(a!, b!, {}, {})) },
  { kernel: "matmul.gradient of the weight", what: "272x784 times 784x1088", bytes: bytesOf(MAP, [CHANNELS, 4 * CHANNELS], EXPANDED), flops: 8 * COUNT * CHANNELS, prepare: over([[1, POSITIONS, CHANNELS], [1, POSITIONS, 4 * CHANNELS]], (a, g) => matmulForward(a!, g!, {}, { transposeA: true })) },
  { kernel: "matmul.gradient of the input", what: "784x1088 times 1088x272", bytes: bytesOf(MAP, [CHANNELS, 4 * CHANNELS], EXPANDED), flops: 8 * COUNT * CHANNELS, prepare: over([[1, POSITIONS, 4 * CHANNELS], [1, CHANNELS, 4 * CHANNELS]], (g, b) => matmulForward(g!, b!, {}, { transposeB: true })) },
  { kernel: "conv2d.forward", what: "3x3, 28x28x64 to 64", bytes: bytesOf([1, 28, 28, 64], [3, 3, 64, 64], [1, 28, 28, 64]), flops: 18 * POSITIONS * 64 * 64, prepare: over([[1, 28, 28, 64], [3, 3, 64, 64]], (x, w) => conv.conv2dForward(x!, w!, {}, { padding: 1 })) },
  { kernel: "conv2d.backward_input", what: "3x3, 28x28x64 to 64", bytes: bytesOf([1, 28, 28, 64], [3, 3, 64, 64], [1, 28, 28, 64]), flops: 18 * POSITIONS * 64 * 64, prepare: over([[1, 28, 28, 64], [3, 3, 64, 64], [1, 28, 28, 64]], (x, w, g) => conv.conv2dBackwardInput(x!, w!, g!, { padding: 1 })) },
  { kernel: "conv2d.backward_filters", what: "3x3, 28x28x64 to 64", bytes: bytesOf([1, 28, 28, 64], [3, 3, 64, 64], [1, 28, 28, 64]), flops: 18 * POSITIONS * 64 * 64, prepare: over([[1, 28, 28, 64], [3, 3, 64, 64], [1, 28, 28, 64]], (x, w, g) => conv.conv2dBackwardFilters(x!, w!, g!, { padding: 1 })) },
  { kernel: "depthwise_conv2d.forward", what: "3x3, 28x28x1088", bytes: bytesOf(EXPANDED, EXPANDED), flops: 18 * 4 * COUNT, prepare: over([EXPANDED, [3, 3, 4 * CHANNELS]], (x, w) => depthwise.depthwiseForward(x!, w!, {}, { padding: 1 })) },
  { kernel: "depthwise_conv2d.backward_input", what: "3x3, 28x28x1088", bytes: bytesOf(EXPANDED, EXPANDED), flops: 18 * 4 * COUNT, prepare: over([EXPANDED, [3, 3, 4 * CHANNELS], EXPANDED], (x, w, g) => depthwise.depthwiseBackwardInput(x!, w!, g!, { padding: 1 })) },
  { kernel: "depthwise_conv2d.backward_filters", what: "3x3, 28x28x1088", bytes: bytesOf(EXPANDED, EXPANDED), flops: 18 * 4 * COUNT, prepare: over([EXPANDED, [3, 3, 4 * CHANNELS], EXPANDED], (x, w, g) => depthwise.depthwiseBackwardFilters(x!, w!, g!, { padding: 1 })) },
  { kernel: "batch_norm.slice_moments and merge", what: "784x272", bytes: bytesOf(MAP), flops: 6 * COUNT, prepare: over([MAP], (x) => norm.momentsOf(x!, middle, settings)) },
  { kernel: "batch_norm.forward", what: "784x272", bytes: bytesOf(MAP, MAP), flops: 4 * COUNT, prepare: over([MAP, [1, 2, CHANNELS], [2, CHANNELS]], (x, s, a) => norm.normForward(x!, s!, a!, middle, settings)) },
  { kernel: "batch_norm.backward_sums and backward_input", what: "784x272", bytes: bytesOf(MAP, MAP, MAP, MAP, MAP), flops: 12 * COUNT, prepare: over([MAP, [1, 2, CHANNELS], [2, CHANNELS], MAP], (x, s, a, g) => norm.normBackward(x!, s!, a!, g!, middle, settings)) },
  { kernel: "activation.forward", what: "hswish, 784x272", bytes: bytesOf(MAP, MAP), flops: 5 * COUNT, prepare: over([MAP], (x) => activation.activationForward(x!, "hswish")) },
  { kernel: "activation.backward_input", what: "hswish, 784x272", bytes: bytesOf(MAP, MAP, MAP), flops: 6 * COUNT, prepare: over([MAP, MAP], (x, g) => activation.activationBackwardInput(x!, g!, "hswish")) },
  { kernel: "elementwise.forward", what: "add, 784x272", bytes: bytesOf(MAP, MAP, MAP), flops: COUNT, prepare: over([MAP, MAP], (a, b) => binaryForward(a!, b!, "add")) },
  { kernel: "elementwise.forward_broadcast", what: "multiply 784x272 by 272", bytes: bytesOf(MAP, MAP), flops: COUNT, prepare: over([MAP, [CHANNELS]], (a, b) => binaryForward(a!, b!, "multiply")) },
  { kernel: "reduce.reduce", what: "784x272 to 272", bytes: bytesOf(MAP), flops: COUNT, prepare: over([MAP], (x) => reduceMiddle(x!, middle, [CHANNELS], "sum")) },
  { kernel: "reduce.sum_products", what: "784x272 to 272", bytes: bytesOf(MAP, MAP), flops: 2 * COUNT, prepare: over([MAP, MAP], (a, b) => sumProducts(a!, b!, middle, [CHANNELS])) },
  { kernel: "cast.to_narrow", what: "784x272 to f16", bytes: 6 * COUNT, flops: 0, prepare: over([MAP], (x) => castForward(x!, "f16")) },
  { kernel: "grid_sample.forward", what: "784 points of 8x8x272", bytes: bytesOf(LOCAL, GRID, MAP), flops: 6 * COUNT, prepare: over([LOCAL, GRID], (x, g) => grid.gridSampleForward(x!, g!, {})) },
  { kernel: "grid_sample.rank, place and gather", what: "784 points of 8x8x272", bytes: bytesOf(LOCAL, GRID, MAP), flops: 8 * COUNT, prepare: over([GRID, MAP], (g, y) => grid.gridSampleBackwardInput(LOCAL, g!, y!, {})) },
  { kernel: "grid_sample.backward_grid", what: "784 points of 8x8x272", bytes: bytesOf(LOCAL, GRID, MAP, GRID), flops: 12 * COUNT, prepare: over([LOCAL, GRID, MAP], (x, g, y) => grid.gridSampleBackwardGrid(x!, g!, y!, {})) },
  { kernel: "dropout.forward", what: "784x272", bytes: bytesOf(MAP, MAP), flops: COUNT, prepare: over([MAP], (x) => dropoutForward(x!, DRAW, 0.5)) },
  { kernel: "random.uniform_numbers", what: "784x272", bytes: bytesOf(MAP), flops: 0, prepare: (device) => () => uniform(device, MAP, DRAW) },
  { kernel: "random.normal_numbers", what: "784x272", bytes: bytesOf(MAP), flops: 0, prepare: (device) => () => normal(device, MAP, DRAW) },
  { kernel: "feature_block_paste.walk", what: "16 images of 28x28", bytes: bytesOf([16, 28, 28, 2]), flops: 0, prepare: (device) => () => drawFeatureBlocks(device, [16, 28, 28], DRAW, { maxHalfSide: 10, intensity: [8, 16], steps: 100 }) },
  { kernel: "scan.block_totals and forward", what: "1 M", bytes: bytesOf([2 ** 21]), flops: 2 ** 20, prepare: (device) => { const x = zeros(device, [2 ** 20], "u32"); return () => exclusiveScan(x); } },
  { kernel: "top_k_mean.forward", what: "10 of 50176 (a map of 224x224)", bytes: bytesOf([224, 224]), flops: 224 * 224, prepare: over([[1, 224 * 224]], (x) => topKMeanForward(x!, 10)) },
  { kernel: "histogram.forward", what: "224x224 into 256", bytes: bytesOf([224, 224]), flops: 3 * 224 * 224, prepare: over([[224, 224]], (x) => histogramForward(x!, { bins: 256, low: -4, high: 4 })) },
  { kernel: "image.horizontal and vertical", what: "1024x768 to 224x224", bytes: 4 * 1024 * 768 + bytesOf([224, 224, 3]), flops: 6 * 1024 * 768, prepare: (device) => { const picture = { width: 1024, height: 768, data: new Uint8Array(4 * 1024 * 768).fill(99) }; return () => imagesToTensor(device, [picture], { height: 224, width: 224, mean: [0, 0, 0], deviation: [1, 1, 1] }); } },
  { kernel: "optimizer.adam", what: "1 M parameters", bytes: bytesOf([7 * 2 ** 20]), flops: 14 * 2 ** 20, prepare: over([[2 ** 20], [2 ** 20], [1], [2 ** 20], [2 ** 20]], (weights, gradients, factor, m, v) => adamUpdate({ weights: weights!, gradients: gradients!, factor: factor!, m: m!, v: v! }, { first: 0, count: 2 ** 20 }, { rate: 0, betas: [1 - 2 ** -9, 1 - 2 ** -9], eps: 1, decay: 0, decoupled: true, step: 100 })) },
  { kernel: "optimizer.sgd", what: "1 M parameters", bytes: bytesOf([5 * 2 ** 20]), flops: 5 * 2 ** 20, prepare: over([[2 ** 20], [2 ** 20], [1], [2 ** 20]], (weights, gradients, factor, m) => sgdUpdate({ weights: weights!, gradients: gradients!, factor: factor!, m: m! }, { first: 0, count: 2 ** 20 }, { rate: 0, momentum: 0.5, nesterov: false, decay: 0 })) },
];
