import { activate, inStorage, pointwise, sequence, within, type Layer, type LayerContext } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { add } from "../../ops/elementwise.ts";
import { gridSample } from "../../ops/grid_sample.ts";
import { mean } from "../../ops/reduce.ts";
import { concat, reshape } from "../../ops/shape.ts";
import { OptionError } from "../../runtime/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { FeatureExtents } from "../method.ts";
import { decoder, type DecoderName } from "./decoders.ts";

/** The coordinates at which an image and its positions look up the grids. */
export interface Codes {
  /** `[N,1,1,2]`, one for the image. */
  readonly global: Tensor;
  /** `[N,H,W,2]`, one for each position. */
  readonly local: Tensor;
}

/** From features, and noise on the local coordinates or none, to coordinates in (-1, 1). */
export type Heads = (features: Tensor, noise: Tensor | null) => Codes;

/** The sizes of a memory. */
export interface GridMemoryConfig extends FeatureExtents {
  /** Cells along a side of the grids. */
  readonly localGrid: number;
  readonly globalGrid: number;
  /** Channels of the grids; 0: as many as the features have. */
  readonly gridChannels: number;
  readonly decoder: DecoderName;
  readonly blocks: number;
}

/** A memory of features: where it is looked up, its grids, and the decoder of what is found there. */
export interface GridMemory {
  readonly heads: Heads;
  /** `[1, R, R, D]` */
  readonly localGrid: Tensor;
  /** `[1, R', R', H*W*D]`, channels in (h, w, d) order */
  readonly globalGrid: Tensor;
  /** From queries `[N,H,W,2D]` to features `[N,H,W,C]`. */
  readonly decode: Layer;
}

const MODE_OF_POINTWISE = "inference"; // heads hold no batch norm: both modes are the same to them
const MOST_NUMBERS = 1 << 29; // of a grid: 2 GiB

/** @throws OptionError for grids of more numbers than a device may hold */
export function requireGrids(
  owner: string,
  { height, width, channels, localGrid, globalGrid, gridChannels }: GridMemoryConfig,
): void {
  const depth = gridChannels || channels;
  const numbers = { localGrid: localGrid ** 2 * depth, globalGrid: globalGrid ** 2 * height * width * depth };
  for (const [name, count] of Object.entries(numbers)) {
    if (count <= MOST_NUMBERS) continue;
    const expected = `${name} of so few cells that the grid holds at most ${MOST_NUMBERS} numbers`;
    throw new OptionError(`${owner}: expected ${expected}, got ${count} for features [${height},${width},${channels}]`);
  }
}

/** @param width hidden channels of the heads; 0: as many as the features have */
export function coordinateHeads(context: LayerContext, channels: number, width: number): Heads {
  const [global, local] = [
    coordinateHead(within(context, "global"), channels, width || channels),
    coordinateHead(within(context, "local"), channels, width || channels),
  ];
  return (features, noise) => {
    const codes = local(features, MODE_OF_POINTWISE);
    return { global: global(mean(features, [1, 2]), MODE_OF_POINTWISE), local: noise ? add(codes, noise) : codes };
  };
}

function coordinateHead(context: LayerContext, channels: number, width: number): Layer {
  return sequence(
    pointwise(within(context, "layer1"), channels, width, true),
    activate("tanh"),
    pointwise(within(context, "layer2"), width, 2, true),
    activate("tanh"),
  );
}

/** Grids with Xavier's normal initial values, and a decoder. */
export function gridMemory(
  context: LayerContext,
  heads: Heads,
  { height, width, channels, localGrid, globalGrid, gridChannels, decoder: name, blocks }: GridMemoryConfig,
): GridMemory {
  const deep = gridChannels || channels;
  const grid = (grid: string, cells: number, depth: number) =>
    context.weights.normal(
      `${context.prefix}.${grid}`,
      [1, cells, cells, depth],
      Math.sqrt(2 / ((depth + 1) * cells * cells)),
      context.random,
    );
  return {
    heads,
    localGrid: grid("localGrid", localGrid, deep),
    globalGrid: grid("globalGrid", globalGrid, height * width * deep),
    decode: inStorage(context, decoder(within(context, "decoder"), name, blocks, 2 * deep, channels)),
  };
}

/**
 * [global sample, local sample], `[N,H,W,2D]`. The learned *grids* are gridSample's `input`, and the coordinates its
 * `grid`. The batch is folded into the rows: all images share one grid.
 */
export function query({ localGrid, globalGrid }: GridMemory, codes: Codes): Tensor {
  const [batch, height, width] = codes.local.shape as [number, number, number];
  const channels = localGrid.shape[3]!;
  const local = gridSample(localGrid, reshape(codes.local, [1, batch * height, width, 2]));
  const global = gridSample(globalGrid, reshape(codes.global, [1, batch, 1, 2]));
  const shape = [batch, height, width, channels];
  return concat([reshape(global, shape), reshape(local, shape)]);
}

/** True for the name of a grid among a model's parameters. */
export const isGrid = (name: string): boolean => name.endsWith("Grid");

/** Parameters of a model by name, those whose name `chosen` accepts, grids apart from the rest. */
export function gridParameters(
  { parameters }: Weights,
  chosen: (name: string) => boolean = () => true,
): { readonly grids: readonly Tensor[]; readonly others: readonly Tensor[] } {
  const grids: Tensor[] = [];
  const others: Tensor[] = [];
  for (const [name, tensor] of parameters) if (chosen(name)) (isGrid(name) ? grids : others).push(tensor);
  return { grids, others };
}
