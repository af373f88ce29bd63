import { keepAll, linear, type Dropping, type Linear } from "../../nn/attention.ts";
import type { LayerContext } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { subtract } from "../../ops/elementwise.ts";
import { mseLoss } from "../../ops/losses.ts";
import { l2Norm } from "../../ops/rows.ts";
import { reshape } from "../../ops/shape.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Model } from "../method.ts";
import type { UniAdConfig } from "./config.ts";
import { neighbourMask, positions, transformer, type Surroundings, type Transformer } from "./transformer.ts";

/** Tensors that are computed once, when the weights are frozen. */
interface Fixed extends Readonly<Record<string, Tensor>> {
  readonly position: Tensor;
}

/**
 * UniAD: a transformer reconstructs each cell's features from those of other cells; a cell is as anomalous as the
 * distance between them.
 * @see You et al., "A unified model for multi-class anomaly detection", NeurIPS 2022
 */
export class UniAdModel implements Model {
  readonly weights: Weights;
  readonly config: UniAdConfig;
  readonly #input: Linear;
  readonly #output: Linear;
  readonly #transformer: Transformer;
  readonly #position: () => Tensor;
  readonly #fixed: () => Fixed | null;

  /** @param random source of the initial weights, where `weights` are drawn */
  constructor(weights: Weights, config: UniAdConfig, random: RandomStream) {
    const { channels, hidden } = config;
    [this.weights, this.config] = [weights, config];
    const at = (prefix: string): LayerContext => ({ weights, prefix, random });
    this.#input = linear(at("input"), channels, hidden);
    const { tables, make } = positions(at("position"), config);
    this.#position = make;
    this.#transformer = transformer(at("transformer"), config);
    this.#output = linear(at("output"), hidden, channels);
    this.#fixed = weights.derived<Fixed>(tables, () => {
      using scope = weights.device.scope();
      const mask = neighbourMask(weights.device, config);
      return { position: scope.keep(make()), ...(mask && { mask: scope.keep(mask) }) };
    });
  }

  get summary(): Model["summary"] {
    const { layers, hidden, attentionHeads: heads, window } = this.config;
    return [
      ["Transformer", `${layers} + ${layers} layers, ${hidden} channels, ${heads} ${heads === 1 ? "head" : "heads"}`],
      ["Hidden from a cell", window === 0 ? "nothing" : `${window} x ${window} cells around it`],
    ];
  }

  /** Reconstructs features `[N, H, W, C]`. */
  reconstruct(features: Tensor, dropping: Dropping = keepAll): Tensor {
    const { height, width, channels } = this.config;
    const tokens = this.#input(reshape(features, [features.shape[0]!, height * width, channels]));
    const decoded = this.#transformer(tokens, { ...this.#surroundings(), dropping });
    return reshape(this.#output(decoded), features.shape);
  }

  /**
   * The loss `[1]` in training: the squared error of the reconstruction, the mean over all elements.
   * @param seen what is reconstructed from: the features with noise, or without
   */
  loss(features: Tensor, seen: Tensor, dropping: Dropping): Tensor {
    return mseLoss(this.reconstruct(seen, dropping), features);
  }

  score(features: Tensor): CellScores {
    return { map: l2Norm(subtract(this.reconstruct(features), features)) };
  }

  #surroundings(): Omit<Surroundings, "dropping"> {
    const fixed = this.#fixed();
    if (fixed) return { position: fixed.position, mask: fixed["mask"] ?? null };
    return { position: this.#position(), mask: neighbourMask(this.weights.device, this.config) };
  }
}
