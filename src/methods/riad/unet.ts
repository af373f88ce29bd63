import {
  activate,
  conv3x3,
  convolution,
  inStorage,
  norm,
  sequence,
  within,
  type Layer,
  type LayerContext,
} from "../../nn/layers.ts";
import { conv2d } from "../../ops/conv2d.ts";
import { convTranspose2d } from "../../ops/conv_transpose2d.ts";
import { concat } from "../../ops/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

const LEVELS = [1, 2, 4, 8, 8]; // channels of each level, in those of the finest
const HALVED = { stride: 2, padding: 1 } as const;
const TAPS = 16; // of the windows that halve and double

const MULTIPLE = 2 ** (LEVELS.length - 1); // of every side
const LEAST_SIDE = 2 * MULTIPLE; // which leaves the coarsest level's batch norms more than one position

/** The side of the images that the network takes, at least a given one. */
export const unetSide = (side: number): number => Math.max(LEAST_SIDE, Math.ceil(side / MULTIPLE) * MULTIPLE);

/** Standard deviation of PyTorch's initial weights, for so many inputs that are summed. */
const stdByInputs = (inputs: number): number => 1 / Math.sqrt(3 * inputs);

/**
 * The U-Net `[N, H, W, C]` -> `[N, H, W, C]` between -1 and 1. Five levels of two convolutions with batch norm and ReLU,
 * the first of which halves the image by a 4x4 window of stride 2, but for the finest; then, back up, transposed
 * convolutions that double it, each joined with the level's own map and followed by two more convolutions. A last
 * convolution and tanh make the image. Only that one has a bias.
 * @param baseWidth channels of the finest level; the others have 2, 4, 8 and 8 times as many
 * @see Zavrtanik et al., "Reconstruction by inpainting for visual anomaly detection", 2021
 */
export function unet(outer: LayerContext, channels: number, baseWidth: number): Layer {
  const context = { ...outer, initialStd: stdByInputs };
  const widths = LEVELS.map((times) => times * baseWidth);
  const normed = (at: LayerContext, nth: number, outputs: number, layer: Layer): Layer[] => [
    layer,
    norm(within(at, `norm${nth}`), outputs),
    activate("relu"),
  ];
  const pair = (at: LayerContext, first: typeof conv3x3, inputs: number, outputs: number): Layer =>
    sequence(
      ...normed(at, 1, outputs, first(within(at, "conv1"), inputs, outputs)),
      ...normed(at, 2, outputs, conv3x3(within(at, "conv2"), outputs, outputs)),
    );
  const down = widths.map((outputs, level) =>
    pair(within(context, `down${level}`), level ? halving : conv3x3, level ? widths[level - 1]! : channels, outputs),
  );
  const up = widths.slice(0, -1).map((outputs, level) => {
    const at = within(context, `up${level}`);
    return {
      double: doubling(within(at, "double"), widths[level + 1]!, outputs),
      merge: pair(at, conv3x3, 2 * outputs, outputs),
    };
  });
  const body: Layer = (input, mode) => {
    const maps: Tensor[] = [];
    for (const layer of down) maps.push(layer(maps.at(-1) ?? input, mode));
    return up.reduceRight(
      (coarser, { double, merge }, level) => merge(concat([double(coarser, mode), maps[level]!]), mode),
      maps.at(-1)!,
    );
  };
  const inner = inStorage(context, body);
  const { weights, prefix, random } = within(context, "out");
  const weight = weights.normal(`${prefix}.weight`, [3, 3, baseWidth, channels], stdByInputs(9 * baseWidth), random);
  const bias = weights.filled(`${prefix}.bias`, [channels], () => 0);
  return (input, mode) => conv2d(inner(input, mode), weight, { padding: 1, bias, activation: "tanh" });
}

/** A 4x4 convolution of stride 2, without bias: half of the extents. */
function halving({ weights, prefix, random }: LayerContext, inputs: number, outputs: number): Layer {
  const weight = weights.normal(`${prefix}.weight`, [4, 4, inputs, outputs], stdByInputs(TAPS * inputs), random);
  return convolution(weights, weight, (input, weight, epilogue) => conv2d(input, weight, { ...HALVED, ...epilogue }));
}

/** A transposed 4x4 convolution of stride 2, without bias: twice the extents. */
function doubling({ weights, prefix, random }: LayerContext, inputs: number, outputs: number): Layer {
  // PyTorch counts a transposed convolution's outputs as its inputs
  const weight = weights.normal(`${prefix}.weight`, [4, 4, outputs, inputs], stdByInputs(TAPS * outputs), random);
  return convolution(weights, weight, (input, weight) => convTranspose2d(input, weight, HALVED));
}
