import type { Layer, Mode } from "../../nn/layers.ts";
import type { Weights } from "../../nn/weights.ts";
import { cast } from "../../ops/cast.ts";
import { multiply, subtract } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/matmul.ts";
import { mean } from "../../ops/reduce.ts";
import { reshape } from "../../ops/shape.ts";
import { RandomStream } from "../../tensor/random.ts";
import { countOf, type Tensor } from "../../tensor/tensor.ts";
import type { CellScores, Json, Model } from "../method.ts";
import { autoencoder } from "./autoencoder.ts";
import type { Components } from "./components.ts";
import type { DfrConfig } from "./config.ts";

const INITIAL_STREAM = 0;
const PREFIX = "autoencoder";

/**
 * Features and their reconstruction: a cell is as anomalous as its squared error, the mean over channels. Until the
 * number of latent channels is known, and the components are, the reconstruction is zero, which is the features' mean.
 */
export class DfrModel implements Model {
  readonly weights: Weights;
  readonly #config: DfrConfig;
  readonly #seed: number;
  #latent = 0;
  #network: Layer | null = null;
  #linear: PrincipalComponents | null = null;

  /** @param seed of the initial weights */
  constructor(weights: Weights, config: DfrConfig, seed = 0) {
    [this.weights, this.#config, this.#seed] = [weights, config, seed];
    if (config.latent > 0) this.build(config.latent);
  }

  get config(): Json {
    return { ...this.#config, latent: this.#latent };
  }

  /** Channels of the narrowest layer, or components; 0 as long as it is not known. */
  get latent(): number {
    return this.#latent;
  }

  /** Makes what reconstructs features, once the number of latent channels is known. */
  build(latent: number): void {
    const { channels, reconstruction } = this.#config;
    const { weights } = this;
    this.#latent = latent;
    if (reconstruction === "linear") this.#linear = new PrincipalComponents(weights, channels, latent);
    else {
      const random = new RandomStream(this.#seed, INITIAL_STREAM);
      this.#network = autoencoder({ weights, prefix: PREFIX, random }, channels, latent);
    }
  }

  /** Takes the largest components over, where they are what reconstructs. */
  learn(components: Components): void {
    this.#linear?.set(components);
  }

  /** The autoencoder's reconstruction of features `[N, H, W, C]`; null as long as there is none. */
  reconstruct(features: Tensor, mode: Mode): Tensor | null {
    return this.#network?.(features, mode) ?? null;
  }

  get summary(): Model["summary"] {
    const { channels, reconstruction } = this.#config;
    const title = reconstruction === "linear" ? "Principal components" : "Autoencoder";
    return [[title, `${channels} to ${this.#latent} channels`]];
  }

  score(features: Tensor): CellScores {
    const residual = this.#residual(features);
    const errors = mean(multiply(residual, residual), [-1]);
    return { map: reshape(errors, features.shape.slice(0, -1)) };
  }

  /** Features less their reconstruction, of as many elements. */
  #residual(features: Tensor): Tensor {
    if (this.#linear) return this.#linear.residual(features);
    const reconstruction = this.reconstruct(features, "inference");
    return reconstruction ? subtract(features, reconstruction) : features;
  }
}

/** The subspace of features' largest principal components; in half precision where the weights are frozen to it. */
class PrincipalComponents {
  /** `[C]` */
  readonly #mean: Tensor;
  /** `[C, d]`, orthonormal columns. */
  readonly #columns: Tensor;
  readonly #half: () => { readonly columns?: Tensor } | null;

  constructor(weights: Weights, channels: number, count: number) {
    this.#mean = weights.state("mean", [channels], () => 0);
    const columns = weights.state("components", [channels, count], () => 0);
    this.#columns = columns;
    this.#half = weights.derived<{ readonly columns?: Tensor }>([columns], (dtype) =>
      dtype === "f16" ? { columns: cast(columns, dtype) } : {},
    );
  }

  set({ mean, vectors }: Components): void {
    const { device, allocation, shape } = this.#columns;
    const [channels, count] = shape as readonly [number, number];
    const columns = Float32Array.from({ length: channels * count }, (_, i) => {
      const [channel, k] = [Math.floor(i / count), i % count];
      return vectors[k * channels + channel]!;
    });
    device.write(allocation.buffer, columns);
    device.write(this.#mean.allocation.buffer, Float32Array.from(mean));
  }

  /** The part of features outside the subspace, `[N * H * W, C]`. */
  residual(features: Tensor): Tensor {
    const columns = this.#half()?.columns ?? this.#columns;
    const channels = features.shape.at(-1)!;
    const offsets = subtract(reshape(features, [countOf(features.shape) / channels, channels]), this.#mean);
    const inside = matmul(matmul(cast(offsets, columns.dtype), columns), columns, { transposeB: true });
    return subtract(offsets, cast(inside, "f32"));
  }
}
