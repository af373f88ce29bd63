import type { Backbone, BackboneInput } from "../backbones/backbone.ts";
import type { DecodedImage } from "../io/image.ts";
import type { Assembly, FeatureExtents } from "../methods/method.ts";
import { cast } from "../ops/cast.ts";
import { add, multiply } from "../ops/elementwise.ts";
import { imagesToTensor, ResizeFilters } from "../ops/images.ts";
import { averagePool } from "../ops/pool.ts";
import { resize } from "../ops/resize.ts";
import { concat } from "../ops/shape.ts";
import type { Device } from "../runtime/device.ts";
import { OptionError } from "../runtime/errors.ts";
import type { Resize } from "../io/placement.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";

/** Preprocessing: turns photographs into the backbone's input. */
export interface Preprocessing extends Omit<BackboneInput, "side"> {
  /** Side of the square, pixels. */
  readonly inputSize: number;
  readonly resize: Resize;
}

/**
 * A backbone with the assembly of its maps: photographs in, one map of features out.
 * @throws OptionError if the backbone lacks a stage of the assembly
 */
export class FeatureMaker {
  readonly backbone: Backbone;
  readonly assembly: Assembly;
  readonly #device: Device;
  readonly #resize: Resize;
  readonly #filters = new ResizeFilters();

  constructor(device: Device, backbone: Backbone, assembly: Assembly, resize: Resize) {
    const own = backbone.stages.map(({ name }) => name).join();
    if (own !== assembly.stages.join())
      throw new OptionError(`expected the stages ${assembly.stages.join()} of the backbone, it has ${own}`);
    [this.#device, this.backbone, this.assembly, this.#resize] = [device, backbone, assembly, resize];
  }

  /** Extents of a map of features. */
  get extents(): FeatureExtents {
    const { input, stages } = this.backbone;
    const cells = input.side / stages[0]!.stride;
    return { height: cells, width: cells, channels: stages.reduce((sum, { channels }) => sum + channels, 0) };
  }

  /** The preprocessing of photographs. */
  get preprocessing(): Preprocessing {
    const { side: inputSize, mean, std } = this.backbone.input;
    return { inputSize, resize: this.#resize, mean, std };
  }

  /**
   * Photographs as the backbone takes them, `[N, side, side, 3]`.
   * @param keepFilters whether the filters that resize them are kept for later photographs of the same sizes
   */
  pixelsOf(images: readonly DecodedImage[], keepFilters = true): Tensor {
    const { side, mean, std } = this.backbone.input;
    const filters = keepFilters ? this.#filters : null;
    return imagesToTensor(this.#device, images, {
      height: side,
      width: side,
      mean,
      std,
      resize: this.#resize,
      filters,
    });
  }

  /**
   * Features as the backbone and the assembly make them, before any standardising: `[N, cells, cells, C]`, f32.
   * @param pixels as `pixelsOf` makes them
   */
  raw(pixels: Tensor): Tensor {
    using scope = pixels.device.scope();
    const { alignCorners, localMean } = this.assembly;
    const [finest, ...coarser] = this.backbone
      .features(pixels)
      .map((map) =>
        localMean === 1
          ? map
          : averagePool(map, localMean, { stride: 1, padding: localMean >> 1, countIncludePad: true }),
      ) as [Tensor, ...Tensor[]];
    const [, height, width] = finest.shape as [number, number, number];
    const enlarged = coarser.map((map) => resize(map, [height, width], { alignCorners }));
    return scope.keep(cast(enlarged.length > 0 ? concat([finest, ...enlarged]) : finest, "f32"));
  }

  /** The same of photographs. */
  rawOf(images: readonly DecodedImage[]): Tensor {
    using scope = this.#device.scope();
    return scope.keep(this.raw(this.pixelsOf(images, false)));
  }

  /** Gives everything's storage back, the backbone's too. */
  release(): void {
    this.#filters.release();
    this.backbone.release();
  }
}

/**
 * The features that a model sees: those of a `FeatureMaker`, standardised where its assembly says so: (feature +
 * offset) * scale, per channel.
 */
export class FeatureExtractor {
  readonly maker: FeatureMaker;
  readonly #constants: { readonly offset: Tensor; readonly scale: Tensor } | null;

  /** @param constantOf gives `[C]` of a name, where features are standardised */
  constructor(maker: FeatureMaker, constantOf: (name: string) => Tensor) {
    this.maker = maker;
    this.#constants = maker.assembly.standardise && {
      offset: constantOf("features.offset"),
      scale: constantOf("features.scale"),
    };
  }

  /** @param pixels as `FeatureMaker.pixelsOf` makes them */
  extractFrom(pixels: Tensor): Tensor {
    return this.standardise(this.maker.raw(pixels));
  }

  /** @param raw as `FeatureMaker.raw` makes them; the same tensor comes back where nothing is standardised */
  standardise(raw: Tensor): Tensor {
    return this.#constants ? multiply(add(raw, this.#constants.offset), this.#constants.scale) : raw;
  }

  /** Gives everything's storage back, the backbone's too. */
  release(): void {
    if (this.#constants) Object.values(this.#constants).forEach(release);
    this.maker.release();
  }

  tensors(): ReadonlyMap<string, Tensor> {
    return new Map(Object.entries(this.#constants ?? {}).map(([name, tensor]) => [`features.${name}`, tensor]));
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

/**
 * Makes an extractor of what was measured on a training set; with the variance of all features that it makes, and `[C]`
 * the standard deviation of each channel's, the caller's to release.
 */
export function extractorFor(
  device: Device,
  maker: FeatureMaker,
  { means, variances }: ChannelStatistics,
): { readonly extractor: FeatureExtractor; readonly variance: number; readonly std: Tensor } {
  const { channels } = maker.extents;
  const target = maker.assembly.standardise;
  const variance = variances.reduce((sum, v) => sum + v, 0) / channels;
  // A channel that hardly varies over good images says little; it must not be blown up to noise.
  const floor = 1e-4 * variance;
  const units = variances.map((v) => Math.sqrt(v + floor));
  const constants = new Map([
    ["features.offset", means.map((mean, c) => (target ? target.mean * units[c]! - mean : 0))],
    ["features.scale", means.map((_, c) => (target ? Math.sqrt(target.variance) / units[c]! : 1))],
  ]);
  const scales = constants.get("features.scale")!;
  const std = fromArray(
    device,
    [channels],
    Float32Array.from(variances, (v, c) => scales[c]! * Math.sqrt(v)),
  );
  const extractor = new FeatureExtractor(maker, (name) =>
    fromArray(device, [channels], Float32Array.from(constants.get(name)!)),
  );
  return { extractor, variance: target ? target.variance : variance, std };
}
