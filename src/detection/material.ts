import type { Backbone } from "../backbones/backbone.ts";
import { createBackbone, isPretrained } from "../backbones/registry.ts";
import { isEvenColour, type DecodedImage } from "../io/image.ts";
import type { AnomalySource } from "../methods/method.ts";
import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import { copiesOf } from "../io/symmetries.ts";
import type { StoredTensors } from "../nn/weights.ts";
import { fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";
import { stageNames } from "./assembly.ts";
import { featureDType, FeatureStore } from "./feature_store.ts";
import { extractorFor, FeatureMaker, type FeatureExtractor } from "./features.ts";
import type { TrainingSample } from "./folds.ts";
import { markedCells } from "./marked_cells.ts";
import type { PictureRegion } from "./region.ts";
import { compareWithOthers, type Unlikeness } from "./suspects.ts";
import type { TrainingSettings } from "./training_options.ts";
import { requireFinite, TrainingSet } from "./training_set.ts";

/** A good image to learn from. */
export interface TrainingImage {
  /** Name for errors, such as its file. Default: its number and class. */
  readonly name?: string;
  /** The class that it shows; each class has its own threshold. */
  readonly className: string;
  /** The image, or its features: height x width x channels, as `FeatureMaker.raw` makes them. */
  readonly image: DecodedImage | Float32Array;
  /** With features: true if the picture that they were made of shows one even colour. Default false. */
  readonly even?: boolean;
  /** Its region of interest; null or absent: all of it. Features must be of the region already. */
  readonly region?: PictureRegion | null;
}

/** A photograph of something good, decoded. */
export interface GoodImage extends TrainingImage {
  readonly image: DecodedImage;
}

const LEAST_IMAGES = 2;

/** A real anomaly: index of its features in the store, and the cells of the map that it covers. */
interface Anomaly {
  readonly index: number;
  readonly mask: Float32Array;
}

/** A good image that was left out of a training. */
export interface Suspect {
  /** As given, or its number and class. */
  readonly name: string;
  readonly className: string;
  /** Its distance from the others, in units of that of the class's middle image. */
  readonly ratio: number;
}

/** The part that is read from images. */
type Parts = Pick<Material, "set" | "samples" | "regions" | "anomalies">;

/** Requirements of a training that goes on from a detector. */
export interface KeptFeatures {
  /** Has the constants that standardise features, if any do. */
  readonly tensors: StoredTensors;
  /** @throws OptionError for features that are made in another way than the detector's */
  readonly requireMaker: (maker: FeatureMaker) => void;
}

/** The material of a training: features of all images, read once, and what was measured of them. */
export class Material {
  readonly extractor: FeatureExtractor;
  /** Variance of the features as a model sees them. */
  readonly variance: number;
  /** `[C]`: standard deviation of each channel of them. */
  readonly std: Tensor;
  readonly set: TrainingSet;
  /** True if any picture had a region of interest. */
  readonly regions: boolean;
  readonly anomalies: readonly Anomaly[];
  readonly #device: Device;
  readonly #store: FeatureStore;
  #samples: readonly TrainingSample[];
  #suspects: readonly Suspect[] = [];

  private constructor(
    device: Device,
    maker: FeatureMaker,
    store: FeatureStore,
    parts: Parts,
    kept: KeptFeatures | null,
  ) {
    const { set, samples, regions, anomalies } = parts;
    [this.#device, this.#store] = [device, store];
    [this.set, this.#samples] = [set, samples];
    [this.regions, this.anomalies] = [regions, anomalies];
    const { extractor, variance, std } = extractorFor(device, maker, set.statistics, kept?.tensors);
    [this.extractor, this.variance, this.std] = [extractor, variance, std];
  }

  /**
   * Reads images, once, in order, then real anomalies; only their features are kept, standardised when all are known.
   * @param kept where a training goes on from a detector: features are made as the detector makes them
   * @throws as `Training.begin`; nothing is left on the device then
   */
  static async read(
    device: Device,
    settings: TrainingSettings,
    images: AsyncIterable<TrainingImage>,
    kept: KeptFeatures | null = null,
  ): Promise<Material> {
    const { featureBudget: budget, spill } = settings;
    const maker = await createFeatureMaker(device, settings);
    const store = new FeatureStore(device, { dtype: featureDType(device, maker.backbone.standardise), budget, spill });
    let material: Material | null = null;
    try {
      kept?.requireMaker(maker);
      const parts = await Material.#read(device, settings, images, maker, store, kept === null);
      material = new Material(device, maker, store, parts, kept);
      await material.#standardise(settings);
      if (settings.dropSuspects > 0 && !kept) await material.#dropSuspects(settings);
      return material;
    } catch (error) {
      if (material) material.release();
      else {
        store.release();
        maker.release();
      }
      throw error;
    }
  }

  static async #read(
    device: Device,
    { learner, options, augment, resize, inputSize, signal, onProgress, anomalies: anomalous }: TrainingSettings,
    images: AsyncIterable<TrainingImage>,
    maker: FeatureMaker,
    store: FeatureStore,
    isWhole: boolean,
  ): Promise<Parts> {
    const { height, width, channels } = maker.extents;
    // what it refuses, before any image is read
    learner.configure({ height, width, channels, variance: 1, images: LEAST_IMAGES }, options);
    const set = new TrainingSet(channels);
    const samples: TrainingSample[] = [];
    let regions = false;
    signal?.throwIfAborted();
    for await (const given of images) {
      const { className, image, even = false, region } = given;
      const name = given.name ?? `image ${samples.length + 1}, of class ${className},`;
      regions ||= Boolean(region);
      if (image instanceof Float32Array && augment !== "none")
        throw new OptionError(
          `training: augment ${augment} turns pictures, and ${name} came as features: leave it out`,
        );
      const shown = image instanceof Float32Array ? null : (region?.shown(image) ?? image);
      const features = shown
        ? maker.rawOf([shown])
        : fromArray(device, [1, height, width, channels], image as Float32Array);
      set.add(await toArray(features), className, name, shown ? isEvenColour(shown) : even);
      const index = await store.add(features);
      release(features);
      const copies: number[] = [];
      for (const copy of shown ? copiesOf(shown, augment) : []) {
        const turned = maker.rawOf([copy]);
        set.addCopy(await toArray(turned), name);
        copies.push(await store.add(turned));
        release(turned);
      }
      samples.push({ className, index, name, copies });
      onProgress({ phase: "features", done: samples.length });
      signal?.throwIfAborted();
    }
    if (isWhole) {
      if (samples.length < LEAST_IMAGES)
        throw new InputError(
          `training needs at least two good images, got ${samples.length}; with ten or more of a class, some set its threshold`,
        );
      set.requireVariety();
    }
    const anomalies: Anomaly[] = [];
    for await (const one of anomalous ?? []) {
      const mask = markedCells(one, resize, inputSize, height);
      const features = maker.rawOf([one.image]);
      requireFinite(await toArray(features), one.name);
      anomalies.push({ index: await store.add(features), mask });
      release(features);
      signal?.throwIfAborted();
    }
    if (anomalous && anomalies.length === 0)
      throw new InputError("there are no anomalous images with masks to learn from");
    return { set, samples, regions, anomalies };
  }

  /** Brings the stored features to what a model sees, so that no step has to. */
  async #standardise({ signal }: TrainingSettings): Promise<void> {
    if (!this.extractor.standardises) return;
    for (let index = 0; index < this.#store.count; index++) {
      await this.#store.replace(index, (raw) => this.extractor.standardise(raw));
      signal?.throwIfAborted();
    }
  }

  /** The good images that are not left out. */
  get samples(): readonly TrainingSample[] {
    return this.#samples;
  }

  /** The good images that are. */
  get suspects(): readonly Suspect[] {
    return this.#suspects;
  }

  /** Compares each good image with the others of its class. */
  compare(onImage: (done: number) => void): Promise<Map<TrainingSample, Unlikeness>> {
    return compareWithOthers(this.#device, this.samples, ({ index }) => this.features([index]), onImage);
  }

  /** Leaves out a share of each class's good images, those least like the others; at least two stay. */
  async #dropSuspects({ dropSuspects: share, signal, onProgress, learner }: TrainingSettings): Promise<void> {
    if ("pixels" in this.extractor.maker.assembly)
      throw new OptionError(
        `training: dropSuspects compares features of a backbone, and the method ${learner.name} takes pixels: leave it out`,
      );
    const total = this.samples.length;
    const unlikeness = await this.compare((done) => {
      onProgress({ phase: "suspects", done, total });
      signal?.throwIfAborted();
    });
    const ratioOf = (sample: TrainingSample): number => unlikeness.get(sample)!.ratio;
    const suspects = [...new Set(this.samples.map(({ className }) => className))].flatMap((name) => {
      const members = this.samples.filter(({ className }) => className === name);
      const count = Math.min(Math.round(share * members.length), members.length - LEAST_IMAGES);
      return members.sort((a, b) => ratioOf(b) - ratioOf(a)).slice(0, Math.max(0, count));
    });
    this.#samples = this.samples.filter((sample) => !suspects.includes(sample));
    this.#suspects = suspects.map((sample) => ({
      name: sample.name,
      className: sample.className,
      ratio: ratioOf(sample),
    }));
  }

  /** Features as a model sees them, `[B, H, W, C]`, by their indices in the store; the caller releases them. */
  features(indices: readonly number[]): Promise<Tensor> {
    return this.#store.batch(indices);
  }

  /** The real anomalies as a method asks for them; null if there are none. */
  anomalySource(): AnomalySource | null {
    const { anomalies } = this;
    if (anomalies.length === 0) return null;
    const { height, width } = this.extractor.maker.extents;
    return {
      count: anomalies.length,
      batch: async (indices) => {
        const chosen = indices.map((i) => anomalies[i]!);
        const features = await this.features(chosen.map(({ index }) => index));
        const masks = new Float32Array(chosen.length * height * width);
        chosen.forEach(({ mask }, i) => masks.set(mask, i * mask.length));
        return { features, mask: fromArray(this.#device, [chosen.length, height, width], masks) };
      },
    };
  }

  /** Gives back everything but the extractor. */
  releaseFeatures(): void {
    this.#store.release();
    release(this.std);
  }

  /** Makes something of it. Where that fails, everything's storage is given back. */
  async orRelease<T>(make: () => T | Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Gives everything's storage back. */
  release(): void {
    this.releaseFeatures();
    this.extractor.release();
  }
}

/**
 * Makes what turns photographs into a training's features: a backbone with no more stages than the method's assembly
 * takes of it.
 * @throws as `createBackbone`; OptionError if the backbone lacks what the assembly takes
 */
export async function createFeatureMaker(device: Device, settings: TrainingSettings): Promise<FeatureMaker> {
  const { learner, options, resize } = settings;
  let backbone: Backbone | null = await createBackbone(device, settings.backbone, settings);
  try {
    const assembly = learner.assembly(options, backbone);
    const stages = stageNames(assembly);
    if (!stages && (settings.stages || isPretrained(settings.backbone)))
      throw new OptionError(
        `${learner.name} sees pixels, not ${settings.backbone} features: choose no backbone or stages`,
      );
    if (stages && stages.length < backbone.stages.length) {
      backbone.release();
      backbone = null;
      backbone = await createBackbone(device, settings.backbone, { ...settings, stages });
    }
    return new FeatureMaker(device, backbone, assembly, resize);
  } catch (error) {
    backbone?.release();
    throw error;
  }
}
