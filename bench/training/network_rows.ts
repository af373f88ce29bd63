// The layers of GRAD's decoders and of EfficientNet-B6, whose layers 3 and 4 give GRAD its 272 channels.
import * as activation from "../../src/kernels/activation.ts";
import * as norm from "../../src/kernels/batch_norm.ts";
import * as conv from "../../src/kernels/conv2d.ts";
import * as depthwise from "../../src/kernels/depthwise_conv2d.ts";
import { binaryForward } from "../../src/kernels/elementwise.ts";
import * as grid from "../../src/kernels/grid_sample.ts";
import { matmulForward } from "../../src/kernels/products/matmul.ts";
import * as reconstruction from "../../src/kernels/reconstruction_loss.ts";
import { reduceMiddle } from "../../src/kernels/reduce.ts";
import { planOf, type BlockPlan } from "../../src/backbones/efficientnet.ts";
import { countOf, type Shape } from "../../src/tensor/tensor.ts";
import { WINOGRAD } from "../../src/kernels/winograd.ts";
import { bytesOf, family, over, type Measured } from "../kernels/rows.ts";

const CELLS = 28;
const POSITIONS = CELLS * CELLS;
const CHANNELS = 272;
const NORM = { eps: 1e-5, correction: 0 } as const;
const HSWISH = { bias: null, activation: "hswish" } as const;

/** A pointwise convolution, with an activation after it, and its gradients. */
function pointwise(where: string, positions: number, inputs: number, outputs: number, gradients: boolean): Measured[] {
  const [x, w, y]: Shape[] = [
    [1, positions, inputs],
    [1, inputs, outputs],
    [1, positions, outputs],
  ] as const;
  return family(`${where}${positions}x${inputs} to ${outputs}`, bytesOf(x, w, y), 2 * positions * inputs * outputs, {
    "matmul.with activation": over([x, w], (x, w) => matmulForward(x, w, HSWISH, {})),
    ...(gradients && {
      "matmul.gradient of the weight": over([x, y], (x, g) => matmulForward(x, g, {}, { transposeA: true })),
      "matmul.gradient of the input": over([y, w], (g, w) => matmulForward(g, w, {}, { transposeB: true })),
    }),
  });
}

/** A depthwise convolution that keeps the extent, or halves it, and its gradients. */
function depthwiseRows(
  where: string,
  batch: number,
  side: number,
  channels: number,
  size: number,
  stride: number,
  gradients: boolean,
): Measured[] {
  const out = Math.ceil(side / stride);
  const [x, w, y]: Shape[] = [
    [batch, side, side, channels],
    [size, size, channels],
    [batch, out, out, channels],
  ] as const;
  const options = { stride, padding: "same" } as const;
  const what = `${where}${size}x${size}${stride === 1 ? "" : " of 2"}, ${batch}x${side}x${side}x${channels}`;
  return family(what, bytesOf(x, w, y), 2 * size * size * countOf(y), {
    "depthwise_conv2d.forward": over([x, w], (x, w) => depthwise.depthwiseForward(x, w, {}, options)),
    ...(gradients && {
      "depthwise_conv2d.backward_input": over([x, w, y], (x, w, g) =>
        depthwise.depthwiseBackwardInput(x, w, g, options),
      ),
      "depthwise_conv2d.backward_weight": over([x, w, y], (x, w, g) =>
        depthwise.depthwiseBackwardWeight(x, w, g, options),
      ),
    }),
  });
}

/** Other steps of a bottleneck on its maps. */
function mapRows(batch: number, channels: number): Measured[] {
  const map: Shape = [batch, CELLS, CELLS, channels];
  const [count, rows] = [countOf(map), batch * POSITIONS];
  const middle = { groups: 1, extent: rows, channels };
  const what = `${rows}x${channels}`;
  return [
    ...family(what, bytesOf(map), 6 * count, {
      "batch_norm.slice_moments and merge": over([map], (x) => norm.momentsOf(x, middle, NORM)),
    }),
    ...family(what, bytesOf(map, map), 4 * count, {
      "batch_norm.forward": over([map, [1, 2, channels], [2, channels]], (x, s, a) =>
        norm.normForward(x, s, a, middle, NORM),
      ),
    }),
    ...family(what, bytesOf(map, map, map, map, map), 12 * count, {
      "batch_norm.backward_sums and backward_input": over([map, [1, 2, channels], [2, channels], map], (x, s, a, g) =>
        norm.normBackward(x, s, a, g, middle, NORM),
      ),
    }),
    ...family(`hswish, ${what}`, bytesOf(map, map, map), 6 * count, {
      "activation.backward_input": over([map, map], (x, g) => activation.activationBackwardInput(x, g, "hswish")),
    }),
    ...family(`add, ${what}`, bytesOf(map, map, map), count, {
      "elementwise.forward": over([map, map], (a, b) => binaryForward(a, b, "add")),
    }),
    ...family(`${what} to ${batch}x${channels}`, bytesOf(map), count, {
      "reduce.reduce": over([map], (x) =>
        reduceMiddle(x, { groups: batch, extent: POSITIONS, channels }, [batch, channels], "sum"),
      ),
    }),
  ];
}

/** The sampling of a grid by a batch of coordinates, and its gradients. */
function gridRows(batch: number, side: number): Measured[] {
  const [image, places, map]: Shape[] = [
    [1, side, side, CHANNELS],
    [1, batch * CELLS, CELLS, 2],
    [1, batch * CELLS, CELLS, CHANNELS],
  ] as const;
  const what = `${batch * POSITIONS} points of ${side}x${side}x${CHANNELS}`;
  const count = countOf(map);
  return [
    ...family(what, bytesOf(image, places, map), 6 * count, {
      "grid_sample.forward": over([image, places], (x, g) => grid.gridSampleForward(x, g, {})),
    }),
    ...family(what, bytesOf(image, places, map), 8 * count, {
      "grid_sample.rank, place and gather": over([places, map], (g, y) =>
        grid.gridSampleBackwardInput(image, g, y, {}),
      ),
    }),
    ...family(what, bytesOf(image, places, map, places), 12 * count, {
      "grid_sample.backward_grid": over([image, places, map], (x, g, y) => grid.gridSampleBackwardGrid(x, g, y, {})),
    }),
  ];
}

/** The loss between features and reconstruction. */
function lossRows(batch: number): Measured[] {
  const [map, places]: Shape[] = [
    [batch, CELLS, CELLS, CHANNELS],
    [batch, CELLS, CELLS],
  ] as const;
  const what = `${batch * POSITIONS}x${CHANNELS}`;
  return [
    ...family(what, bytesOf(map, map, places), 8 * countOf(map), {
      "reconstruction_loss.forward_loss": over([map, map], (a, r) =>
        reconstruction.reconstructionLossForward(a, r, 0.5),
      ),
    }),
    ...family(what, bytesOf(map, map, places, map), 12 * countOf(map), {
      "reconstruction_loss.backward_r": over([map, map, places], (a, r, g) =>
        reconstruction.reconstructionLossBackward(a, r, g, 0.5),
      ),
    }),
  ];
}

/** Expansion, depthwise filter and projection of one of B6's blocks, for images of 224 pixels. */
function blockRows(
  { stage, kernel, stride, inputs, expanded, outputs }: BlockPlan,
  side: number,
  batch: number,
): Measured[] {
  const where = `B6 stage ${stage + 1}: `;
  const out = side / stride;
  return [
    ...pointwise(where, batch * side * side, inputs, expanded, false),
    ...depthwiseRows(where, batch, side, expanded, kernel, stride, stride === 2),
    ...pointwise(where, batch * out * out, expanded, outputs, false),
  ];
}

const plan = planOf("efficientnet-b6");
const SIDES = [112, 112, 56, 28, 14, 14, 7]; // of a stage's input
const WANTED: readonly (readonly [stage: number, indexInStage: number, batch: number])[] = [
  [1, 0, 1],
  [1, 1, 1],
  [2, 0, 1],
  [2, 1, 1],
  [3, 0, 1],
  [3, 1, 1],
  [4, 1, 1],
  [5, 1, 1],
  [6, 1, 1],
  [2, 1, 16],
  [4, 1, 16],
];
const stem: Shape[] = [
  [1, 224, 224, 3],
  [3, 3, 3, plan.stem],
  [1, 112, 112, plan.stem],
];
const BASIC: Shape[] = [
  [1, CELLS, CELLS, CHANNELS],
  [3, 3, CHANNELS, CHANNELS],
];
// the width that GRAD's queries of B4 have; GPUs take Winograd's form by themselves from 12 images on
const WIDE: Shape[] = [
  [8, CELLS, CELLS, 432],
  [3, 3, 432, 432],
];
const [WIDE_NAME, WIDE_BYTES] = ["GRAD basic, 3x3, 8x28x28x432 to 432", bytesOf(...WIDE, WIDE[0]!)];
const WIDE_PRODUCTS = countOf(WIDE[0]!) * 432; // of each tap

/** Number of rows of one image that KERNELS already contains: the first ones. */
const amongKernels = (batch: number): number => (batch === 1 ? 1 : 0);

/** Rows that only `npm run bench` measures. */
export const NETWORK_ROWS: readonly Measured[] = [
  ...[1, 16].flatMap((batch) => [
    ...pointwise("GRAD expands ", batch * POSITIONS, 2 * CHANNELS, 4 * CHANNELS, true),
    ...pointwise("GRAD projects ", batch * POSITIONS, 4 * CHANNELS, 2 * CHANNELS, batch === 1),
    ...pointwise("GRAD's last ", batch * POSITIONS, 2 * CHANNELS, CHANNELS, true),
    ...depthwiseRows("GRAD ", batch, CELLS, 4 * CHANNELS, 3, 1, true),
    ...depthwiseRows("embedded ", batch, 224, 4, 7, 1, false),
    ...[CHANNELS, 2 * CHANNELS, 4 * CHANNELS]
      .slice(amongKernels(batch))
      .flatMap((channels) => mapRows(batch, channels)),
    ...[8, 4].slice(amongKernels(batch)).flatMap((side) => gridRows(batch, side)),
  ]),
  ...lossRows(16),
  ...family("GRAD basic, 3x3, 28x28x272 to 272", bytesOf(...BASIC, BASIC[0]!), 18 * POSITIONS * CHANNELS ** 2, {
    "conv2d.forward": over(BASIC, (x, w) => conv.conv2dForward(x, w, {}, { padding: 1 })),
    "conv2d.backward_input": over([...BASIC, BASIC[0]!], (x, w, g) =>
      conv.conv2dBackwardInput(x, w, g, { padding: 1 }),
    ),
    "conv2d.backward_weight": over([...BASIC, BASIC[0]!], (x, w, g) =>
      conv.conv2dBackwardWeight(x, w, g, { padding: 1 }),
    ),
  }),
  ...family(WIDE_NAME, WIDE_BYTES, 18 * WIDE_PRODUCTS, {
    "conv2d.forward": over(WIDE, (x, w) => conv.conv2dForward(x, w, {}, { padding: 1 })),
    "conv2d.backward_input": over([...WIDE, WIDE[0]!], (x, w, g) => conv.conv2dBackwardInput(x, w, g, { padding: 1 })),
  }),
  // four products for each output in place of nine
  ...family(WIDE_NAME, WIDE_BYTES, 8 * WIDE_PRODUCTS, {
    "winograd.convolution": over(WIDE, (x, w) => conv.conv2dForward(x, w, {}, { padding: 1 }, WINOGRAD)),
    "winograd.gradient of the image": over([...WIDE, WIDE[0]!], (x, w, g) =>
      conv.conv2dBackwardInput(x, w, g, { padding: 1 }, WINOGRAD),
    ),
  }),
  ...family(`B6 stem: 3x3 of 2, 224x224x3 to ${plan.stem}`, bytesOf(...stem), 2 * 27 * countOf(stem[2]!), {
    "conv2d.forward": over(stem.slice(0, 2), (x, w) => conv.conv2dForward(x, w, {}, { stride: 2, padding: "same" })),
  }),
  ...WANTED.flatMap(([stage, indexInStage, batch]) => {
    const block = plan.blocks.find((block) => block.stage === stage && block.indexInStage === indexInStage)!;
    const { stride } = plan.blocks.find((block) => block.stage === stage)!;
    return blockRows(block, SIDES[stage]! / (indexInStage === 0 ? 1 : stride), batch);
  }),
];
