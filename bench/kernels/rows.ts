import * as activation from "../../src/kernels/activation.ts";
import * as norm from "../../src/kernels/batch_norm.ts";
import { bucketOf } from "../../src/kernels/bucket.ts";
import { castForward } from "../../src/kernels/cast.ts";
import * as conv from "../../src/kernels/conv2d.ts";
import { gatherRegion, padForward } from "../../src/kernels/copy.ts";
import * as depthwise from "../../src/kernels/depthwise_conv2d.ts";
import { dropoutForward } from "../../src/kernels/dropout.ts";
import { perlinMask } from "../../src/kernels/perlin_mask.ts";
import { binaryForward } from "../../src/kernels/elementwise.ts";
import { drawFeatureBlocks, pasteFeatureBlocks } from "../../src/kernels/feature_block_paste.ts";
import { farthestPointStep } from "../../src/kernels/farthest_point.ts";
import { TILES } from "../../src/kernels/products/forms.ts";
import * as gather from "../../src/kernels/gather.ts";
import * as blur from "../../src/kernels/gaussian_blur.ts";
import * as grid from "../../src/kernels/grid_sample.ts";
import * as hinge from "../../src/kernels/hinge_loss.ts";
import { histogramForward } from "../../src/kernels/histogram.ts";
import { MATMUL_FORMS, matmulForward } from "../../src/kernels/products/matmul.ts";
import * as mse from "../../src/kernels/mse_loss.ts";
import { NEAREST_FORMS, nearestRowsForward } from "../../src/kernels/nearest_rows.ts";
import { adamUpdate, clipFactor, sgdUpdate } from "../../src/kernels/optimizer.ts";
import { drawPairs } from "../../src/kernels/pairs.ts";
import * as pool from "../../src/kernels/pool.ts";
import { normal, randomWords, uniform } from "../../src/kernels/random.ts";
import { dealForward } from "../../src/kernels/random_sets.ts";
import * as reconstruction from "../../src/kernels/reconstruction_loss.ts";
import { maxPositionsForward, reduceMiddle, sumProducts } from "../../src/kernels/reduce.ts";
import * as resize from "../../src/kernels/resize.ts";
import * as rows from "../../src/kernels/rows.ts";
import { exclusiveScan } from "../../src/kernels/scan.ts";
import { MATRIX_FORMS } from "../../src/kernels/products/subgroup.ts";
import { topKMeanBackwardInput, topKMeanForward } from "../../src/kernels/top_k_mean.ts";
import { WINOGRAD } from "../../src/kernels/winograd.ts";
import { PUBLISHED_BLOCKS } from "../../src/ops/feature_block_paste.ts";
import { imagesToTensor } from "../../src/ops/images.ts";
import type { Device } from "../../src/runtime/device.ts";
import { countOf, empty, fromArray, zeros, type Shape, type Tensor } from "../../src/tensor/tensor.ts";

/** One measured call. */
export interface Measured {
  /** shader.entry point, or a name for several of them */
  readonly kernel: string;
  readonly what: string;
  /** Least memory traffic of a call, in bytes. */
  readonly bytes: number;
  /** Operations of the definition. */
  readonly flops: number;
  /** Makes the inputs; returns the call. */
  readonly prepare: (device: Device) => () => unknown;
}

/** True if a device can run it: casts and products on units for matrices need half precision, and the latter those units. */
export const isPossible = ({ gpu, adapter }: Device, { kernel }: Pick<Measured, "kernel">): boolean =>
  (!/^(cast|subgroup_product)\./.test(kernel) || gpu.features.has("shader-f16")) &&
  (!kernel.startsWith("subgroup_product.") || adapter.matrices !== undefined);

const [CELLS, CHANNELS] = [28, 272];
const POSITIONS = CELLS * CELLS;
const COUNT = POSITIONS * CHANNELS;
const MAP: Shape = [1, CELLS, CELLS, CHANNELS];
const EXPANDED: Shape = [1, CELLS, CELLS, 4 * CHANNELS];
const LOCAL: Shape = [1, 8, 8, CHANNELS];
const GRID: Shape = [1, CELLS, CELLS, 2];
const PLACES: Shape = [1, CELLS, CELLS];
const HEAT: Shape = [1, 224, 224, 1];
const PIXELS = 224 * 224;
const MILLION = 2 ** 20;

const MIDDLE = { groups: 1, extent: POSITIONS, channels: CHANNELS };
const NORM = { eps: 1e-5, correction: 0 } as const;
const PADDED = { padding: 1 };
const DRAW = { seed: 1, stream: 2, step: 3 };
const HINGE = { threshold: 0.5, reduction: "mean" } as const;
const POOL = { stride: [2, 2], padding: [1, 1], countIncludePad: true } as const;
const BILINEAR = { mode: "bilinear", alignCorners: false, antialias: false } as const;
const BLUR = { size: 33, sigma: 4, border: "reflect" } as const;
const ADAM = { betas: [1 - 2 ** -9, 1 - 2 ** -9], eps: 1, weightDecay: 0, decoupled: true } as const;
const SGD = { momentum: 0.5, nesterov: false, weightDecay: 0 } as const;

let stream = 0;
const normals = (device: Device, shape: Shape): Tensor => normal(device, shape, { seed: 1, stream: stream++, step: 0 });

/** Calls of each form of a kernel that has several. */
const inForms = (
  shader: string,
  entryPoint: string,
  forms: readonly string[],
  prepare: (form: string) => Measured["prepare"],
): Record<string, Measured["prepare"]> =>
  Object.fromEntries(forms.map((form) => [`${shaderOf(form) ?? shader}.${entryPoint}, ${form}`, prepare(form)]));

/** The shader of a form with tiles. */
function shaderOf(form: string): string | null {
  if (form in TILES) return "tiled_product";
  return (MATRIX_FORMS as readonly string[]).includes(form) ? "subgroup_product" : null;
}

/** Makes tensors of normal numbers, one for each shape, and passes them to a call. */
export const over = (shapes: readonly Shape[], call: (...tensors: Tensor[]) => unknown) => (device: Device) => {
  const tensors = shapes.map((shape) => normals(device, shape));
  return () => call(...tensors);
};

/** The same, of f16. */
const overHalf = (shapes: readonly Shape[], call: (...tensors: Tensor[]) => unknown) => (device: Device) => {
  const tensors = shapes.map((shape) => castForward(normals(device, shape), "f16"));
  return () => call(...tensors);
};

/** Every row of a map, in an order that defeats caches. */
const scattered = (device: Device): Tensor =>
  fromArray(
    device,
    [POSITIONS],
    Uint32Array.from({ length: POSITIONS }, (_, i) => (i * 89) % POSITIONS),
  );

/** Bytes of f32 tensors, each read or written once. */
export const bytesOf = (...shapes: Shape[]): number => shapes.reduce((sum, shape) => sum + 4 * countOf(shape), 0);

/** Calls with the same bytes and operations. */
export const family = (
  what: string,
  bytes: number,
  flops: number,
  calls: Record<string, Measured["prepare"]>,
): Measured[] => Object.entries(calls).map(([kernel, prepare]) => ({ kernel, what, bytes, flops, prepare }));

const OPERAND: Shape = [1, POSITIONS, CHANNELS];
const FACTOR: Shape = [1, CHANNELS, 4 * CHANNELS];
const RESULT: Shape = [1, POSITIONS, 4 * CHANNELS];
const PRODUCT: Shape[] = [MAP, [CHANNELS, 4 * CHANNELS], EXPANDED];
const IMAGE: Shape = [1, CELLS, CELLS, 64];
const WEIGHT: Shape = [3, 3, 64, 64];
const DOUBLED: Shape = [1, 2 * CELLS, 2 * CELLS, 64];
const HALVING: Shape = [4, 4, 64, 64];
const HALVED = { stride: 2, padding: 1 } as const;
const CELLS_OF_RIAD = 128 * 128; // of two pixels, at 256 x 256
const WINDOWS: Shape = [3, 3, 4 * CHANNELS];
const AFFINE: Shape = [2, CHANNELS];
const QUERIES = [POSITIONS, CHANNELS] as const;
const BANK = [5000, CHANNELS] as const; // PatchCore's bank for a class of 64 images, a tenth of their cells
const CORESET = [50_176, 128] as const; // the candidates for the bank: those images' cells, projected
const POOLED: Shape = [1, 14, 14, CHANNELS];

export const KERNELS: readonly Measured[] = [
  ...family(`${POSITIONS}x${CHANNELS} by ${CHANNELS}x${4 * CHANNELS}`, bytesOf(...PRODUCT), 8 * COUNT * CHANNELS, {
    ...inForms("matmul", "forward", MATMUL_FORMS, (form) =>
      over([OPERAND, FACTOR], (a, b) => matmulForward(a, b, {}, {}, form)),
    ),
    ...inForms("matmul", "gradient of the weight", MATMUL_FORMS, (form) =>
      over([OPERAND, RESULT], (a, g) => matmulForward(a, g, {}, { transposeA: true }, form)),
    ),
    ...inForms("matmul", "gradient of the input", MATMUL_FORMS, (form) =>
      over([RESULT, FACTOR], (g, b) => matmulForward(g, b, {}, { transposeB: true }, form)),
    ),
  }),
  ...family(
    `${POSITIONS}x${CHANNELS} by ${CHANNELS}x${4 * CHANNELS}, f16`,
    bytesOf(...PRODUCT) / 2,
    8 * COUNT * CHANNELS,
    {
      ...inForms("matmul", "forward", MATRIX_FORMS, (form) =>
        overHalf([OPERAND, FACTOR], (a, b) => matmulForward(a, b, {}, {}, form)),
      ),
      ...inForms("matmul", "gradient of the weight", MATRIX_FORMS, (form) =>
        overHalf([OPERAND, RESULT], (a, g) => matmulForward(a, g, {}, { transposeA: true }, form)),
      ),
      ...inForms("matmul", "gradient of the input", MATRIX_FORMS, (form) =>
        overHalf([RESULT, FACTOR], (g, b) => matmulForward(g, b, {}, { transposeB: true }, form)),
      ),
    },
  ),
  ...family("3x3, 28x28x64 to 64, f16", bytesOf(IMAGE, WEIGHT, IMAGE) / 2, 18 * POSITIONS * 64 * 64, {
    ...inForms("conv2d", "convolution", MATRIX_FORMS, (form) =>
      overHalf([IMAGE, WEIGHT], (x, w) => conv.conv2dForward(x, w, {}, PADDED, form)),
    ),
    ...inForms("conv2d", "gradient of an image", MATRIX_FORMS, (form) =>
      overHalf([IMAGE, WEIGHT, IMAGE], (x, w, g) => conv.conv2dBackwardInput(x, w, g, PADDED, form)),
    ),
    ...inForms("conv2d", "gradient of a filter", MATRIX_FORMS, (form) =>
      overHalf([IMAGE, WEIGHT, IMAGE], (x, w, g) => conv.conv2dBackwardWeight(x, w, g, PADDED, form)),
    ),
  }),
  ...family("3x3, 28x28x64 to 64", bytesOf(IMAGE, WEIGHT, IMAGE), 18 * POSITIONS * 64 * 64, {
    ...inForms("conv2d", "forward", conv.CONV2D_FORMS, (form) =>
      over([IMAGE, WEIGHT], (x, w) => conv.conv2dForward(x, w, {}, PADDED, form)),
    ),
    ...inForms("conv2d", "backward_input", conv.CONV2D_FORMS, (form) =>
      over([IMAGE, WEIGHT, IMAGE], (x, w, g) => conv.conv2dBackwardInput(x, w, g, PADDED, form)),
    ),
    ...inForms("conv2d", "backward_weight", conv.CONV2D_FORMS, (form) =>
      over([IMAGE, WEIGHT, IMAGE], (x, w, g) => conv.conv2dBackwardWeight(x, w, g, PADDED, form)),
    ),
  }),
  // the same, with four products for each output instead of nine
  ...family("3x3, 28x28x64 to 64", bytesOf(IMAGE, WEIGHT, IMAGE), 8 * POSITIONS * 64 * 64, {
    "winograd.convolution": over([IMAGE, WEIGHT], (x, w) => conv.conv2dForward(x, w, {}, PADDED, WINOGRAD)),
    "winograd.gradient of the image": over([IMAGE, WEIGHT, IMAGE], (x, w, g) =>
      conv.conv2dBackwardInput(x, w, g, PADDED, WINOGRAD),
    ),
  }),
  // RIAD's halving and, as the gradient of its image, the transposed convolution that doubles
  ...family("4x4 of stride 2, 56x56x64 to 28x28x64", bytesOf(DOUBLED, HALVING, IMAGE), 32 * POSITIONS * 64 * 64, {
    ...inForms("conv2d", "forward", conv.CONV2D_FORMS, (form) =>
      over([DOUBLED, HALVING], (x, w) => conv.conv2dForward(x, w, {}, HALVED, form)),
    ),
    // without tiles, which multiply the zeros between a stride's pixels too
    ...inForms("conv2d", "backward_input", ["uniform", "direct"], (form) =>
      over([DOUBLED, HALVING, IMAGE], (x, w, g) => conv.conv2dBackwardInput(x, w, g, HALVED, form)),
    ),
    ...inForms("conv2d", "backward_weight", conv.CONV2D_FORMS, (form) =>
      over([DOUBLED, HALVING, IMAGE], (x, w, g) => conv.conv2dBackwardWeight(x, w, g, HALVED, form)),
    ),
  }),
  ...family("3x3, 28x28x1088", bytesOf(EXPANDED, EXPANDED), 18 * 4 * COUNT, {
    "depthwise_conv2d.forward": over([EXPANDED, WINDOWS], (x, w) => depthwise.depthwiseForward(x, w, {}, PADDED)),
    "depthwise_conv2d.backward_input": over([EXPANDED, WINDOWS, EXPANDED], (x, w, g) =>
      depthwise.depthwiseBackwardInput(x, w, g, PADDED),
    ),
    "depthwise_conv2d.backward_weight": over([EXPANDED, WINDOWS, EXPANDED], (x, w, g) =>
      depthwise.depthwiseBackwardWeight(x, w, g, PADDED),
    ),
  }),
  ...family("784x272", bytesOf(MAP), 6 * COUNT, {
    "batch_norm.slice_moments and merge": over([MAP], (x) => norm.momentsOf(x, MIDDLE, NORM)),
  }),
  ...family("784x272", bytesOf(MAP, MAP), 4 * COUNT, {
    "batch_norm.forward": over([MAP, [1, 2, CHANNELS], AFFINE], (x, s, a) => norm.normForward(x, s, a, MIDDLE, NORM)),
  }),
  ...family("272 channels", bytesOf(AFFINE, AFFINE, AFFINE), 6 * CHANNELS, {
    "batch_norm.update_running": over(
      [
        [2, CHANNELS],
        [1, 2, CHANNELS],
      ],
      (r, s) => norm.updateRunning(r, s, MIDDLE, NORM, 0.1),
    ),
  }),
  ...family("784x272", bytesOf(MAP, MAP, MAP, MAP, MAP), 12 * COUNT, {
    "batch_norm.backward_sums and backward_input": over([MAP, [1, 2, CHANNELS], AFFINE, MAP], (x, s, a, g) =>
      norm.normBackward(x, s, a, g, MIDDLE, NORM),
    ),
  }),
  ...family("hswish, 784x272", bytesOf(MAP, MAP), 5 * COUNT, {
    "activation.forward": over([MAP], (x) => activation.activationForward(x, "hswish")),
  }),
  ...family("hswish, 784x272", bytesOf(MAP, MAP, MAP), 6 * COUNT, {
    "activation.backward_input": over([MAP, MAP], (x, g) => activation.activationBackwardInput(x, g, "hswish")),
  }),
  ...family("add, 784x272", bytesOf(MAP, MAP, MAP), COUNT, {
    "elementwise.forward": over([MAP, MAP], (a, b) => binaryForward(a, b, "add")),
  }),
  ...family("multiply 784x272 by 272", bytesOf(MAP, MAP), COUNT, {
    "elementwise.forward_broadcast": over([MAP, [CHANNELS]], (a, b) => binaryForward(a, b, "multiply")),
  }),
  ...family("784x272 to 272", bytesOf(MAP), COUNT, {
    "reduce.reduce": over([MAP], (x) => reduceMiddle(x, MIDDLE, [CHANNELS], "sum")),
  }),
  ...family("784x272 to 272", bytesOf(MAP, MAP), 2 * COUNT, {
    "reduce.sum_products": over([MAP, MAP], (a, b) => sumProducts(a, b, MIDDLE, [CHANNELS])),
  }),
  ...family("8 maps of 784 scores", bytesOf([8, POSITIONS], [8]), 8 * POSITIONS, {
    "reduce.max_positions": over([[8, POSITIONS]], (x) => maxPositionsForward(x)),
  }),
  ...family("784x272 to f16", 6 * COUNT, 0, {
    "cast.to_narrow": over([MAP], (x) => castForward(x, "f16")),
  }),
  ...family("784x272 from f16", 6 * COUNT, 0, {
    "cast.to_wide": (device) => {
      const narrow = castForward(normals(device, MAP), "f16");
      return () => castForward(narrow, "f32");
    },
  }),
  ...family("784x272 transposed", bytesOf(MAP, MAP), 0, {
    "copy.region": over([MAP], (x) => gatherRegion("transpose", x, [CHANNELS, POSITIONS], [1, CHANNELS], 0)),
  }),
  ...family("784x272 within a border of 1", bytesOf(MAP, [1, CELLS + 2, CELLS + 2, CHANNELS]), 0, {
    "copy.padded": over([MAP], (x) =>
      padForward(
        "pad",
        x,
        [
          [0, 0],
          [1, 1],
          [1, 1],
          [0, 0],
        ],
        0,
      ),
    ),
  }),
  ...family("784 of 784 rows of 272", bytesOf(MAP, MAP), 0, {
    "gather.forward": (device) => {
      const [input, picked] = [normals(device, [POSITIONS, CHANNELS]), scattered(device)];
      return () => gather.gatherForward(input, picked, 0);
    },
    "gather.backward_input": (device) => {
      const [input, picked] = [normals(device, [POSITIONS, CHANNELS]), scattered(device)];
      return () => gather.gatherBackwardInput(input, picked, input, 0);
    },
  }),
  ...family("1 M keys of 1024", bytesOf([2 * MILLION]), 0, {
    "bucket.rank and place": (device) => {
      const keys = fromArray(
        device,
        [MILLION],
        Uint32Array.from({ length: MILLION }, (_, i) => (i * 7919) % 1024),
      );
      return () => bucketOf("bucket", keys, 1024);
    },
  }),
  ...family("784x272", bytesOf(MAP, MAP), 6 * COUNT, {
    "softmax.forward": over([MAP], (x) => rows.softmaxForward(x)),
    "layer_norm.forward": over([MAP, AFFINE], (x, a) => rows.layerNormForward(x, a, 1e-5)),
    "row_products.normalize_forward": over([MAP], (x) => rows.l2NormalizeForward(x, 1e-12)),
    "row_products.cosine_forward": over([MAP, MAP], (a, b) => rows.cosineForward(a, b, 1e-8)),
  }),
  ...family("784x272", bytesOf(MAP, PLACES), 2 * COUNT, {
    "row_products.norm_forward": over([MAP], (x) => rows.l2NormForward(x)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, PLACES), 3 * COUNT, {
    "row_products.norm_backward": over([MAP, PLACES], (x, g) => rows.l2NormBackward(x, g)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, MAP), 8 * COUNT, {
    "softmax.backward_input": over([MAP, MAP], (x, g) => rows.softmaxBackwardInput(x, g)),
    "layer_norm.backward_input and backward_affine": over([MAP, AFFINE, MAP], (x, a, g) =>
      rows.layerNormBackward(x, a, g, 1e-5, true),
    ),
    "row_products.normalize_backward": over([MAP, MAP], (x, g) => rows.l2NormalizeBackward(x, g, 1e-12)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, MAP, MAP), 12 * COUNT, {
    "row_products.cosine_backward": over([MAP, MAP, PLACES], (a, b, g) => rows.cosineBackward(a, b, g, 1e-8)),
  }),
  ...family("784 points of 8x8x272", bytesOf(LOCAL, GRID, MAP), 6 * COUNT, {
    "grid_sample.forward": over([LOCAL, GRID], (x, g) => grid.gridSampleForward(x, g, {})),
  }),
  ...family("784 points of 8x8x272", bytesOf(LOCAL, GRID, MAP), 8 * COUNT, {
    "grid_sample.rank, place and gather": over([GRID, MAP], (g, y) => grid.gridSampleBackwardInput(LOCAL, g, y, {})),
  }),
  ...family("784 points of 8x8x272", bytesOf(LOCAL, GRID, MAP, GRID), 12 * COUNT, {
    "grid_sample.backward_grid": over([LOCAL, GRID, MAP], (x, g, y) => grid.gridSampleBackwardGrid(x, g, y, {})),
  }),
  ...family("784 points of 8x8x1", bytesOf([1, 8, 8, 1], GRID, PLACES, GRID), 12 * POSITIONS, {
    "grid_sample.backward_grid_narrow": over([[1, 8, 8, 1], GRID, [...PLACES, 1]], (x, g, y) =>
      grid.gridSampleBackwardGrid(x, g, y, {}),
    ),
  }),
  ...family("28x28 to 224x224", bytesOf(PLACES, HEAT), 8 * PIXELS, {
    "resize.forward": over([[1, CELLS, CELLS, 1]], (x) => resize.resizeForward(x, [224, 224], BILINEAR)),
    "resize.backward_input": over([[1, CELLS, CELLS, 1], HEAT], (x, g) =>
      resize.resizeBackwardInput(x, g, [224, 224], BILINEAR),
    ),
  }),
  ...family("33 taps, 224x224", bytesOf(HEAT, HEAT), 4 * 33 * PIXELS, {
    "gaussian_blur.forward": over([HEAT], (x) => blur.gaussianBlurForward(x, BLUR)),
    "gaussian_blur.backward_input": over([HEAT, HEAT], (x, g) => blur.gaussianBlurBackwardInput(x, g, BLUR)),
  }),
  ...family("3x3 of 2, 28x28x272", bytesOf(MAP, POOLED), 9 * countOf(POOLED), {
    "pool.average_forward": over([MAP], (x) => pool.averagePoolForward(x, [3, 3], POOL)),
    "pool.average_backward_input": over([MAP, POOLED], (x, g) => pool.averagePoolBackwardInput(x, g, [3, 3], POOL)),
    "pool.max_forward": over([MAP], (x) => pool.maxPoolForward(x, [3, 3], POOL)),
  }),
  ...family("1x21, 224x224", bytesOf(HEAT, HEAT), 21 * PIXELS, {
    "pool.average_forward_four": over([HEAT], (x) =>
      pool.averagePoolForward(x, [1, 21], { stride: 1, padding: [0, 10], countIncludePad: false }),
    ),
  }),
  ...family("3x3 of 2, 28x28x272", bytesOf(MAP, MAP, POOLED), 9 * countOf(POOLED), {
    "pool.argmax and max_backward_input": over([MAP, POOLED], (x, g) => pool.maxPoolBackwardInput(x, g, [3, 3], POOL)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, MAP), 2 * COUNT, {
    "mse_loss.forward": over([MAP, MAP], (a, b) => mse.mseLossForward(a, b)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, MAP, MAP), 3 * COUNT, {
    "mse_loss.backward": over([MAP, MAP, MAP], (a, b, g) => mse.mseLossBackward(a, b, g, 2)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, PLACES), 8 * COUNT, {
    "reconstruction_loss.forward_loss": over([MAP, MAP], (a, r) => reconstruction.reconstructionLossForward(a, r, 0.5)),
    "reconstruction_loss.forward_score": over([MAP, MAP], (a, r) => reconstruction.reconstructionScore(a, r, 0.5)),
  }),
  ...family("784x272", bytesOf(MAP, MAP, PLACES, MAP), 12 * COUNT, {
    "reconstruction_loss.backward_r": over([MAP, MAP, PLACES], (a, r, g) =>
      reconstruction.reconstructionLossBackward(a, r, g, 0.5),
    ),
  }),
  ...family("16 maps of 784 scores", bytesOf([2, 16, POSITIONS]), 4 * 16 * POSITIONS, {
    "hinge_loss.slice_terms and summarise": over(
      [
        [16, POSITIONS],
        [16, POSITIONS],
      ],
      (s, m) => hinge.hingeLossForward("hingeLoss", s, m, HINGE),
    ),
  }),
  ...family("16 maps of 784 scores", bytesOf([3, 16, POSITIONS]), 4 * 16 * POSITIONS, {
    "hinge_loss.position_loss": over(
      [
        [16, POSITIONS],
        [16, POSITIONS],
      ],
      (s, m) => hinge.hingeLossForward("hingeLoss", s, m, { ...HINGE, reduction: "none" }),
    ),
    "hinge_loss.backward_scores": over([[16, POSITIONS], [16, POSITIONS], [8], [1]], (s, m, t, g) =>
      hinge.hingeLossBackward("hingeLoss", s, m, t, g, HINGE),
    ),
  }),
  ...family("16 maps of 784 scores", bytesOf([4, 16, POSITIONS]), 4 * 16 * POSITIONS, {
    "hinge_loss.backward_positions": over([[16, POSITIONS], [16, POSITIONS], [8], [16, POSITIONS]], (s, m, t, g) =>
      hinge.hingeLossBackward("hingeLoss", s, m, t, g, { ...HINGE, reduction: "none" }),
    ),
  }),
  ...family("784x272", bytesOf(MAP, MAP), COUNT, {
    "dropout.forward": over([MAP], (x) => dropoutForward(x, DRAW, 0.5)),
  }),
  ...family("784x272", bytesOf(MAP), 0, {
    "random.raw": (device) => () => randomWords(device, MAP, DRAW),
    "random.uniform_numbers": (device) => () => uniform(device, MAP, DRAW),
    "random.normal_numbers": (device) => () => normal(device, MAP, DRAW),
  }),
  ...family("16 images of 28x28", bytesOf([16, CELLS, CELLS, 2]), 0, {
    "feature_block_paste.walk": (device) => () => drawFeatureBlocks(device, [16, CELLS, CELLS], DRAW, PUBLISHED_BLOCKS),
  }),
  ...family("16 maps of 28x28", bytesOf([16, CELLS, CELLS]), 0, {
    "perlin_mask.forward": (device) => () =>
      perlinMask(device, [16, CELLS, CELLS], DRAW, { threshold: 0.2, cleanShare: 0.5 }),
  }),
  ...family("16,384 elements into 3 sets", bytesOf([2, CELLS_OF_RIAD]), CELLS_OF_RIAD ** 2, {
    "random_sets.forward": (device) => {
      const words = randomWords(device, [CELLS_OF_RIAD], DRAW);
      return () => dealForward(words, 3);
    },
  }),
  ...family("16 maps of 28x28x272", bytesOf([2, 16, CELLS, CELLS, CHANNELS]), 16 * CELLS * CELLS * CHANNELS, {
    "feature_block_paste.paste": over([[16, CELLS, CELLS, CHANNELS]], (x) =>
      pasteFeatureBlocks(x, null, DRAW, PUBLISHED_BLOCKS),
    ),
  }),
  ...family("256 pairs of each sort of 16 maps of 28x28", bytesOf([16, CELLS, CELLS], [512, 3]), 0, {
    "pairs.draw_pairs": over([[16, CELLS, CELLS]], (x) => drawPairs(x, 256, DRAW)),
  }),
  ...family("1 M", bytesOf([2 * MILLION]), MILLION, {
    "scan.block_totals and forward": (device) => {
      const counts = zeros(device, [MILLION], "u32");
      return () => exclusiveScan(counts);
    },
  }),
  ...[1, 9].flatMap((k) =>
    family(
      `${k} of ${BANK[0]} rows of ${CHANNELS} for each of ${POSITIONS}`,
      bytesOf(QUERIES, BANK, [2, POSITIONS, k]),
      3 * COUNT * BANK[0],
      Object.fromEntries(
        NEAREST_FORMS.map((form) => [
          `nearest_rows.forward and merge, ${form}`,
          over([QUERIES, BANK], (queries, rows) => nearestRowsForward(queries, rows, k, form)),
        ]),
      ),
    ),
  ),
  // An upper bound for these: a product of the same shape whose result is stored.
  ...family(
    `${POSITIONS}x${CHANNELS} by ${CHANNELS}x${BANK[0]}, transposed`,
    bytesOf(QUERIES, BANK, [POSITIONS, BANK[0]]),
    2 * COUNT * BANK[0],
    {
      "matmul.forward": over(
        [
          [1, ...QUERIES],
          [1, ...BANK],
        ],
        (a, b) => matmulForward(a, b, {}, { transposeB: true }),
      ),
    },
  ),
  ...family(`one of ${CORESET[0]} rows of ${CORESET[1]}`, bytesOf(CORESET, [2, CORESET[0]]), 3 * countOf(CORESET), {
    "farthest_point.update and choose": (device) => {
      const [rows, distances] = [normals(device, CORESET), empty(device, [CORESET[0]])];
      const [chosen, position] = [
        fromArray(device, [BANK[0]], new Uint32Array(BANK[0])),
        fromArray(device, [1], Uint32Array.of(1)),
      ];
      return () => farthestPointStep({ rows, chosen, position, distances });
    },
  }),
  ...family("10 of 50176 (a map of 224x224)", bytesOf(HEAT), PIXELS, {
    "top_k_mean.forward": over([[1, PIXELS]], (x) => topKMeanForward(x, 10)),
  }),
  ...family("10 of 50176 (a map of 224x224)", bytesOf(HEAT, HEAT), PIXELS, {
    "top_k_mean.backward_input": (device) => {
      const [input, gradOutput] = [normals(device, [1, PIXELS]), normals(device, [1])];
      const { selection } = topKMeanForward(input, 10);
      return () => topKMeanBackwardInput(input, selection, gradOutput, 10);
    },
  }),
  ...family("224x224 into 256", bytesOf(HEAT), 3 * PIXELS, {
    "histogram.forward": over([[224, 224]], (x) => histogramForward(x, { bins: 256, low: -4, high: 4 })),
  }),
  ...family("1024x768 to 224x224", 4 * 1024 * 768 + bytesOf([224, 224, 3]), 6 * 1024 * 768, {
    "image.horizontal and vertical": (device) => {
      const picture = { width: 1024, height: 768, data: new Uint8Array(4 * 1024 * 768).fill(99) };
      return () => imagesToTensor(device, [picture], { height: 224, width: 224, mean: [0, 0, 0], std: [1, 1, 1] });
    },
  }),
  ...family("1024 squares", bytesOf([1024]), 1024, {
    "optimizer.clip_factor": over([[1024]], (squares) => clipFactor(squares, 1)),
  }),
  ...family("1 M parameters", bytesOf([7 * MILLION]), 14 * MILLION, {
    "optimizer.adam": over(
      [[MILLION], [MILLION], [1], [1, 4], [MILLION], [MILLION]],
      (weights, gradients, factor, schedule, m, v) =>
        adamUpdate({ weights, gradients, factor, schedule, m, v }, { first: 0, count: MILLION, row: 0 }, ADAM),
    ),
  }),
  ...family("1 M parameters", bytesOf([5 * MILLION]), 5 * MILLION, {
    "optimizer.sgd": over([[MILLION], [MILLION], [1], [1, 4], [MILLION]], (weights, gradients, factor, schedule, m) =>
      sgdUpdate({ weights, gradients, factor, schedule, m }, { first: 0, count: MILLION, row: 0 }, SGD),
    ),
  }),
];
