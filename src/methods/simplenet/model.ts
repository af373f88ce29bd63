import { activate, inStorage, norm, pointwise, sequence, within, type Layer } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { relu } from "../../ops/activation.ts";
import { scalar, subtract } from "../../ops/elementwise.ts";
import { reshape } from "../../ops/shape.ts";
import { ShapeError } from "../../runtime/errors.ts";
import type { RandomStream } from "../../tensor/random.ts";
import { release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Json, Model } from "../method.ts";
import { isMomentState, Moments } from "../parts/moments.ts";
import type { SimpleNetConfig } from "./config.ts";

const SLOPE = 0.2; // below zero, of the discriminator's leaky ReLU
const FLOOR_AT = 2; // standard deviations below the mean score of good cells
const ADAPTOR = "adaptor";

/** The standard deviation of Xavier's normal initial weights. */
const xavier = (inputs: number, outputs: number): number => Math.sqrt(2 / (inputs + outputs));

/**
 * SimpleNet: a linear adaptor and a discriminator of two layers, which tells good features from noisy ones.
 * @see Liu et al., "SimpleNet: A simple network for image anomaly detection and localization", CVPR 2023
 */
export class SimpleNetModel implements Model {
  readonly weights: Weights;
  readonly #adaptor: Layer;
  readonly #discriminator: Layer;
  readonly #scorer: Layer;
  #config: SimpleNetConfig;

  /** @param random source of the initial weights, where `weights` are drawn */
  constructor(weights: Weights, config: SimpleNetConfig, random: RandomStream) {
    const { channels, hidden } = config;
    [this.weights, this.#config] = [weights, config];
    const at = (prefix: string) => ({ weights, prefix, random });
    // without biases, which the norm would take away again
    this.#adaptor = pointwise(at(ADAPTOR), channels, channels, false, xavier(channels, channels));
    const context = at("discriminator");
    this.#discriminator = sequence(
      pointwise(within(context, "layer1"), channels, hidden, false, xavier(channels, hidden)),
      norm(within(context, "norm"), hidden),
      activate({ name: "leakyRelu", slope: SLOPE }),
      pointwise(within(context, "layer2"), hidden, 1, false, xavier(hidden, 1)),
    );
    this.#scorer = inStorage(context, (input, mode) => this.#discriminator(this.#adaptor(input, mode), mode));
  }

  get config(): SimpleNetConfig {
    return this.#config;
  }

  get summary(): Model["summary"] {
    const { channels, hidden, floor } = this.#config;
    return [
      ["Discriminator", `${channels} channels, ${hidden} hidden`],
      ["Floor of the map", floor.toPrecision(3)],
    ];
  }

  /** The parameters of the adaptor, and those of the discriminator. */
  get parameters(): { readonly adaptor: readonly Tensor[]; readonly discriminator: readonly Tensor[] } {
    const all = [...this.weights.parameters];
    const isAdaptor = ([name]: readonly [string, Tensor]) => name.startsWith(`${ADAPTOR}.`);
    const tensors = (entries: readonly (readonly [string, Tensor])[]) => entries.map(([, tensor]) => tensor);
    return {
      adaptor: tensors(all.filter(isAdaptor)),
      discriminator: tensors(all.filter((entry) => !isAdaptor(entry))),
    };
  }

  /** In training: adapted features `[N, H, W, C]` of features of the same shape. */
  adapt(features: Tensor): Tensor {
    return this.#adaptor(features, "training");
  }

  /**
   * In training: the discriminator's scores of adapted features, `[N, H, W]`, high where they are noisy: the negative of
   * the paper's. The norm takes the statistics of all of them.
   */
  discriminate(adapted: Tensor): Tensor {
    return reshape(this.#discriminator(adapted, "training"), adapted.shape.slice(0, -1));
  }

  /** The scores of features after training, `[N, H, W]`. */
  scores(features: Tensor): Tensor {
    return reshape(this.#scorer(features, "inference"), features.shape.slice(0, -1));
  }

  score(features: Tensor): CellScores {
    return { map: relu(subtract(this.scores(features), scalar(features.device, this.#config.floor))) };
  }

  /**
   * Measures the scores of good cells that this model was not trained on, or where it saw all, those that the models of
   * the folds before it did not: the floor lies below their mean. Where there are none of either, it stays.
   */
  async adjust(heldOut: AsyncIterable<Tensor>, carried: Json): Promise<Json> {
    const [own, all] = [new Moments(), momentsOf(carried)];
    for await (const features of heldOut) {
      const read = this.#scoresOf(features);
      release(features);
      const scores = await read;
      for (const moments of [own, all]) moments.add(scores);
    }
    const { mean, std, state } = own.state[0] > 0 ? own : all;
    if (state[0] > 0) this.#config = { ...this.#config, floor: mean - FLOOR_AT * std };
    return all.state;
  }

  requireCarried(carried: Json): void {
    momentsOf(carried);
  }

  #scoresOf(features: Tensor): Promise<Float32Array> {
    using _scope = this.weights.device.scope();
    return toArray(this.scores(features));
  }
}

/**
 * The moments that the models before left; none where there were none.
 * @throws ShapeError if they are of another kind
 */
function momentsOf(carried: Json): Moments {
  if (carried === null) return new Moments();
  if (!isMomentState(carried)) throw new ShapeError("simplenet: the moments of good scores are of another kind");
  return new Moments(carried);
}
