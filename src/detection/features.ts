import type { Backbone, BackboneInput, Stage } from "../backbones/backbone.ts";
import type { DecodedImage } from "../io/image.ts";
import type { Assembly, FeatureExtents } from "../methods/method.ts";
import { cast } from "../ops/cast.ts";
import { add, multiply } from "../ops/elementwise.ts";
import { imagesToTensor, ResizeFilters } from "../ops/images.ts";
import { averagePool } from "../ops/pool.ts";
import { resize } from "../ops/resize.ts";
import { l2Normalize } from "../ops/rows.ts";
import { concat } from "../ops/shape.ts";
import type { StoredTensors } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import type { Resize } from "../io/placement.ts";
import { fromArray, release, type Tensor } from "../tensor/tensor.ts";
import { ChannelMixer, stagesFor, standardisingOf } from "./assembly.ts";

/** Preprocessing: turns photographs into the backbone's input. */
export interface Preprocessing extends Omit<BackboneInput, "side"> {
  /** Side of the square, pixels. */
  readonly inputSize: number;
  readonly resize: Resize;
}

/**
 * A backbone with the assembly of its maps: photographs in, one map of features out.
 * @throws OptionError if the backbone lacks a stage of the assembly, or the stages lack channels
 */
export class FeatureMaker {
  readonly backbone: Backbone;
  readonly assembly: Assembly;
  readonly #device: Device;
  readonly #resize: Resize;
  readonly #filters = new ResizeFilters();
  readonly #stages: readonly Stage[];
  readonly #mixer: ChannelMixer | null;

  constructor(device: Device, backbone: Backbone, assembly: Assembly, resize: Resize) {
    [this.#device, this.backbone, this.assembly, this.#resize] = [device, backbone, assembly, resize];
    this.#stages = "pixels" in assembly ? [] : stagesFor(assembly, backbone);
    const joined = this.#stages.reduce((sum, { channels }) => sum + channels, 0);
    this.#mixer =
      "pixels" in assembly || assembly.channels === "all" ? null : new ChannelMixer(device, assembly.channels, joined);
  }

  /** Extents of a map of features. */
  get extents(): FeatureExtents {
    const { side } = this.backbone.input;
    if ("pixels" in this.assembly) return { height: side, width: side, channels: 3 };
    const { cells: wanted, channels: left } = this.assembly;
    const cells = wanted === "finest" ? side / this.#stages[0]!.stride : wanted;
    const channels = left === "all" ? this.#stages.reduce((sum, { channels }) => sum + channels, 0) : left.count;
    return { height: cells, width: cells, channels };
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
   * Features as the backbone and the assembly make them, before any standardising over the training set: `[N, cells,
   * cells, C]`, f32. Where the assembly takes the pixels themselves, the same tensor comes back.
   * @param pixels as `pixelsOf` makes them
   */
  raw(pixels: Tensor): Tensor {
    const { assembly } = this;
    if ("pixels" in assembly) return pixels;
    using scope = pixels.device.scope();
    const { enlarge: mode, alignCorners, localMean, standardise } = assembly;
    const { height, width } = this.extents;
    const all = this.backbone.features(pixels);
    const maps = this.#stages.map((stage) => {
      const map = all[this.backbone.stages.indexOf(stage)]!;
      const mean =
        localMean === 1
          ? map
          : averagePool(map, localMean, { stride: 1, padding: localMean >> 1, countIncludePad: true });
      const isRight = map.shape[1] === height && map.shape[2] === width;
      return isRight ? mean : resize(mean, [height, width], { mode, alignCorners });
    });
    const joined = cast(maps.length > 1 ? concat(maps) : maps[0]!, "f32");
    const mixed = this.#mixer ? this.#mixer.mix(joined) : joined;
    return scope.keep(standardise === "unit" ? l2Normalize(mixed) : mixed);
  }

  /** Features of photographs, before any standardising. */
  rawOf(images: readonly DecodedImage[]): Tensor {
    using scope = this.#device.scope();
    return scope.keep(this.raw(this.pixelsOf(images, false)));
  }

  /** Gives everything's storage back, the backbone's too. */
  release(): void {
    this.#filters.release();
    this.#mixer?.release();
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
    const standardise = standardisingOf(maker.assembly);
    this.#constants =
      standardise === null || standardise === "unit"
        ? null
        : { offset: constantOf("features.offset"), scale: constantOf("features.scale") };
  }

  /** @param pixels as `FeatureMaker.pixelsOf` makes them */
  extractFrom(pixels: Tensor): Tensor {
    return this.standardise(this.maker.raw(pixels));
  }

  /** True if `standardise` changes features. */
  get standardises(): boolean {
    return this.#constants !== null;
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
 * Makes an extractor from a training set's statistics. `variance` is the variance of its features; `std` `[C]`, which
 * the caller releases, the standard deviation of each channel.
 * @param kept constants by name that standardise features in place of those of the statistics
 */
export function extractorFor(
  device: Device,
  maker: FeatureMaker,
  { means, variances }: ChannelStatistics,
  kept: StoredTensors = new Map(),
): { readonly extractor: FeatureExtractor; readonly variance: number; readonly std: Tensor } {
  const { channels } = maker.extents;
  const standardise = standardisingOf(maker.assembly);
  const target = standardise === "unit" ? null : standardise;
  const variance = variances.reduce((sum, v) => sum + v, 0) / channels;
  // Keeps channels that hardly vary over good images from being scaled up to noise.
  const floor = 1e-4 * variance;
  const units = variances.map((v) => Math.sqrt(v + floor));
  const constantOf = (name: string): Float32Array | Float64Array => kept.get(name)?.data ?? own.get(name)!;
  const own = new Map([
    ["features.offset", means.map((mean, c) => (target ? target.mean * units[c]! - mean : 0))],
    ["features.scale", means.map((_, c) => (target ? Math.sqrt(target.variance) / units[c]! : 1))],
  ]);
  const scales = constantOf("features.scale");
  const std = fromArray(
    device,
    [channels],
    Float32Array.from(variances, (v, c) => scales[c]! * Math.sqrt(v)),
  );
  const extractor = new FeatureExtractor(maker, (name) =>
    fromArray(device, [channels], Float32Array.from(constantOf(name))),
  );
  return { extractor, variance: target ? target.variance : variance, std };
}
