import type { LayerContext, Mode } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { anomalyMap, reconstructionLoss } from "../../ops/losses.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Model } from "../method.ts";
import { coordinateHeads, gridMemory, query, type GridMemory } from "../parts/grid_memory.ts";
import type { CradConfig } from "./config.ts";

/**
 * CRAD: reconstructs features from a continuous memory, grids that it looks up at coordinates derived from the
 * features.
 * @see Lee et al., "Continuous memory representation for anomaly detection", ECCV 2024
 */
export class CradModel implements Model {
  readonly weights: Weights;
  readonly config: CradConfig;
  readonly #memory: GridMemory;

  /**
   * @param random source of the initial weights, where `weights` are drawn
   * @param recompute true if training computes blocks twice rather than keep what they make (`LayerContext`)
   */
  constructor(weights: Weights, config: CradConfig, random: RandomStream, recompute = false) {
    [this.weights, this.config] = [weights, config];
    const at = (prefix: string): LayerContext => ({ weights, prefix, random, recompute });
    const heads = coordinateHeads(at("head"), config.channels, config.headWidth);
    this.#memory = gridMemory(at("memory"), heads, config);
  }

  get summary(): Model["summary"] {
    const { decoder, blocks, localGrid, globalGrid } = this.config;
    return [
      ["Decoder", `${decoder}, ${blocks} ${blocks === 1 ? "block" : "blocks"}`],
      ["Grids", `${localGrid} and ${globalGrid} cells`],
    ];
  }

  /**
   * Reconstructs features `[N,H,W,C]`.
   * @param noise `[N,H,W,2]`, added to the local coordinates; null for none
   */
  reconstruct(features: Tensor, noise: Tensor | null, mode: Mode): Tensor {
    return this.#memory.decode(query(this.#memory, this.#memory.heads(features, noise)), mode);
  }

  /** The loss `[1]` of a batch of features in training. */
  loss(features: Tensor, noise: Tensor | null): Tensor {
    const { similarityThreshold: threshold } = this.config;
    return reconstructionLoss(features, this.reconstruct(features, noise, "training"), { threshold });
  }

  score(features: Tensor): CellScores {
    const { similarityThreshold: threshold } = this.config;
    return { map: anomalyMap(features, this.reconstruct(features, null, "inference"), { threshold }) };
  }
}
