import { activate, pointwise, sequence, within, type Layer, type LayerContext, type Mode } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { standardize } from "../../ops/batch_norm.ts";
import { add, multiply } from "../../ops/elementwise.ts";
import { gridSample } from "../../ops/grid_sample.ts";
import { mean } from "../../ops/reduce.ts";
import { concat, reshape } from "../../ops/shape.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { decoder } from "./decoder.ts";
import type { GradConfig } from "./config.ts";

/** Where in the grids an image and its positions look. */
export interface Codes {
  /** `[N,1,1,2]`, one for the image. */
  readonly global: Tensor;
  /** `[N,H,W,2]`, one for each position. */
  readonly local: Tensor;
}

/** One of the two branches: its grids and its decoder. */
interface Branch {
  /** `[1, R, R, C]` */
  readonly localGrid: Tensor;
  /** `[1, R', R', H*W*C]`, channels in (h, w, c) order */
  readonly globalGrid: Tensor;
  readonly decode: Layer;
}

/**
 * GRAD: reconstructs features from a normal and an abnormal grid, at coordinates that it derives from the features.
 * @see "Bi-Grid Reconstruction for Image Anomaly Detection", 2025
 */
export class Grad {
  readonly config: GradConfig;
  readonly weights: Weights;
  readonly #globalHead: Layer;
  readonly #localHead: Layer;
  readonly #normal: Branch;
  readonly #abnormal: Branch;
  readonly #abnormalWeight: Tensor;

  constructor(weights: Weights, config: GradConfig, random: RandomStream) {
    this.config = config;
    this.weights = weights;
    const at = (prefix: string): LayerContext => ({ weights, prefix, random });
    this.#globalHead = coordinateHead(at("head.global"), config.channels);
    this.#localHead = coordinateHead(at("head.local"), config.channels);
    this.#normal = branch(at("normal"), config);
    this.#abnormal = branch(at("abnormal"), config);
    this.#abnormalWeight = weights.filled("fusion.weight", [1], () => config.abnormalWeight);
  }

  /**
   * Coordinates in (-1, 1) for features `[N,H,W,C]`.
   * @param noise `[N,H,W,2]`, added to the local coordinates; null for none
   */
  codes(features: Tensor, noise: Tensor | null): Codes {
    const local = this.#localHead(features, HEAD_MODE);
    return {
      global: this.#globalHead(mean(features, [1, 2]), HEAD_MODE),
      local: noise ? add(local, noise) : local,
    };
  }

  /** What the abnormal branch makes of the codes, `[N,H,W,C]`; its channel 0 is the score that the hinge trains. */
  abnormal(codes: Codes, mode: Mode): Tensor {
    return this.#abnormal.decode(standardize(query(this.#abnormal, codes)), mode);
  }

  /** The reconstruction of both branches, `[N,H,W,C]`. */
  reconstruct(codes: Codes, mode: Mode): Tensor {
    const normal = this.#normal.decode(query(this.#normal, codes), mode);
    return add(normal, multiply(this.abnormal(codes, mode), this.#abnormalWeight));
  }

  /** Parameters by name, those whose name `chosen` accepts, grids apart from the rest. */
  parameters(chosen: (name: string) => boolean): { readonly grids: readonly Tensor[]; readonly others: readonly Tensor[] } {
    const grids: Tensor[] = [];
    const others: Tensor[] = [];
    for (const [name, tensor] of this.weights.parameters) if (chosen(name)) (isGrid(name) ? grids : others).push(tensor);
    return { grids, others };
  }
}

const HEAD_MODE = "inference"; // the heads hold no batch norm: both modes are the same to them

export const isGrid = (name: string): boolean => name.endsWith("Grid");

function coordinateHead(context: LayerContext, channels: number): Layer {
  return sequence(
    pointwise(within(context, "layer1"), channels, channels, true),
    activate("tanh"),
    pointwise(within(context, "layer2"), channels, 2, true),
    activate("tanh"),
  );
}

function branch(context: LayerContext, { height, width, channels, localGrid, globalGrid, decoder: name }: GradConfig): Branch {
  const grid = (grid: string, cells: number, depth: number) =>
    context.weights.normal(`${context.prefix}.${grid}`, [1, cells, cells, depth], Math.sqrt(2 / ((depth + 1) * cells * cells)), context.random);
  return {
    localGrid: grid("localGrid", localGrid, channels),
    globalGrid: grid("globalGrid", globalGrid, height * width * channels),
    decode: decoder(within(context, "decoder"), name, channels),
  };
}

/** [global sample, local sample], `[N,H,W,2C]`. The batch is folded into the rows: all images share one grid. */
function query({ localGrid, globalGrid }: Branch, codes: Codes): Tensor {
  const [batch, height, width] = codes.local.shape as [number, number, number];
  const channels = localGrid.shape[3]!;
  const local = gridSample(localGrid, reshape(codes.local, [1, batch * height, width, 2]));
  const global = gridSample(globalGrid, reshape(codes.global, [1, batch, 1, 2]));
  const shape = [batch, height, width, channels];
  return concat([reshape(global, shape), reshape(local, shape)]);
}
