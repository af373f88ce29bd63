import type { DecodedImage } from "../io/image.ts";
import { add, multiply } from "../ops/elementwise.ts";
import { imagesToTensor, ResizeFilters } from "../ops/images.ts";
import type { Device } from "../runtime/device.ts";
import type { Fit } from "../io/placement.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import type { Backbone } from "../backbones/backbone.ts";
import { REFERENCE_VARIANCE } from "../methods/grad/config.ts";

/** What a backbone makes of photographs, `[N, cells, cells, C]`. */
export function rawFeatures(device: Device, backbone: Backbone, fit: Fit, images: readonly DecodedImage[]): Tensor {
  using scope = device.scope();
  return scope.keep(backbone.extract(pixelsOf(device, backbone, fit, images)));
}

function pixelsOf(
  device: Device,
  { inputSize, mean, deviation }: Backbone,
  fit: Fit,
  images: readonly DecodedImage[],
  filters: ResizeFilters | null = null,
): Tensor {
  return imagesToTensor(device, images, { height: inputSize, width: inputSize, mean, deviation, fit }, filters);
}

/** How photographs become the backbone's input. */
export interface Preprocessing {
  /** Side of the square, pixels. */
  readonly inputSize: number;
  readonly fit: Fit;
  /** Subtracted from and dividing R, G, B in [0, 1]. */
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

/** A backbone followed by (feature + offset) * scale, per channel. */
export class FeatureExtractor {
  readonly #backbone: Backbone;
  readonly #fit: Fit;
  readonly #filters = new ResizeFilters();
  readonly #offset: Tensor;
  readonly #scale: Tensor;

  constructor(backbone: Backbone, fit: Fit, constantOf: (name: string) => Tensor) {
    this.#backbone = backbone;
    this.#fit = fit;
    this.#offset = constantOf("features.offset");
    this.#scale = constantOf("features.scale");
  }

  /**
   * Photographs as the backbone takes them, `[N, inputSize, inputSize, 3]`.
   * @param filters those of earlier photographs; null: none are kept
   */
  pixelsOf(images: readonly DecodedImage[], filters: ResizeFilters | null = this.#filters): Tensor {
    return pixelsOf(this.#offset.device, this.#backbone, this.#fit, images, filters);
  }

  /** @param images as `pixelsOf` makes them */
  extractFrom(images: Tensor): Tensor {
    return this.standardise(this.#backbone.extract(images));
  }

  standardise(features: Tensor): Tensor {
    return multiply(add(features, this.#offset), this.#scale);
  }

  get preprocessing(): Preprocessing {
    const { inputSize, mean, deviation } = this.#backbone;
    return { inputSize, fit: this.#fit, mean, deviation };
  }

  /** Gives everything's storage back, the backbone's too. */
  release(): void {
    this.#filters.release();
    [this.#offset, this.#scale].forEach(release);
    this.#backbone.release();
  }

  tensors(): ReadonlyMap<string, Tensor> {
    return new Map([["features.offset", this.#offset], ["features.scale", this.#scale]]);
  }
}

/** Mean and variance of each channel over everything added. */
export class ChannelStatistics {
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(channels: number) {
    this.#sums = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** @param values `[..., C]` */
  add(values: Float32Array): void {
    const channels = this.#sums.length;
    for (let i = 0; i < values.length; i++) {
      this.#sums[i % channels]! += values[i]!;
      this.#squares[i % channels]! += values[i]! ** 2;
    }
    this.#count += values.length / channels;
  }

  get means(): Float64Array {
    return this.#sums.map((sum) => sum / this.#count);
  }

  get variances(): Float64Array {
    const { means } = this;
    return this.#squares.map((square, c) => Math.max(square / this.#count - means[c]! ** 2, 0));
  }
}

// GRAD's similarity is a cosine, of vectors from zero. Were zero the mean, it would say how far a cell is from the mean, not how well it is
// reconstructed; so the mean lies apart from zero, in each channel by so many deviations (docs/decisions/006-embedded-filters.md).
const MEAN = 0.7;

/**
 * Brings each channel to the same mean and the variance that GRAD's constants are stated for, where the backbone wants that; with what then
 * is the variance of all features, and `[C]` the deviation of each channel's, the caller's to release.
 */
export function standardiserOf(
  device: Device,
  backbone: Backbone,
  fit: Fit,
  { means, variances }: ChannelStatistics,
): { readonly extractor: FeatureExtractor; readonly variance: number; readonly deviations: Tensor } {
  const { channels } = backbone;
  const variance = variances.reduce((sum, v) => sum + v, 0) / channels;
  // A channel that hardly varies over good images says little; it must not be blown up to noise.
  const floor = 1e-4 * variance;
  const units = variances.map((v) => Math.sqrt(v + floor));
  const constants = new Map([
    ["features.offset", backbone.standardise ? means.map((mean, c) => MEAN * units[c]! - mean) : means.map(() => 0)],
    ["features.scale", backbone.standardise ? units.map((unit) => Math.sqrt(REFERENCE_VARIANCE) / unit) : means.map(() => 1)],
  ]);
  const scales = constants.get("features.scale")!;
  const deviations = fromArray(device, [channels], Float32Array.from(variances, (v, c) => scales[c]! * Math.sqrt(v)));
  const extractor = new FeatureExtractor(backbone, fit, (name) => fromArray(device, [channels], Float32Array.from(constants.get(name)!)));
  return { extractor, variance: backbone.standardise ? REFERENCE_VARIANCE : variance, deviations };
}
