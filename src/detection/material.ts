import type { Backbone } from "../backbones/backbone.ts";
import { createBackbone, isPretrained } from "../backbones/registry.ts";
import type { Picture } from "../io/image.ts";
import type { AnomalySource } from "../methods/method.ts";
import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import { copiesOf } from "../io/symmetries.ts";
import type { StoredTensors } from "../nn/weights.ts";
import { fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";
import { stageNames } from "./assembly.ts";
import { Cutter, isTiled } from "./cut.ts";
import { featureDType, FeatureStore } from "./feature_store.ts";
import { extractorFor, FeatureMaker, type FeatureExtractor } from "./features.ts";
import type { StoredView, TrainingSample } from "./folds.ts";
import { compareWithOthers, type Unlikeness } from "./suspects.ts";
import type { TrainingSettings } from "./training_options.ts";
import { requireFinite, TrainingSet } from "./training_set.ts";
import { ViewReader, type TrainingImage } from "./views.ts";

/** A photograph of something good, decoded or in parts. */
export interface GoodImage extends TrainingImage {
  readonly image: Picture;
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
  #leftOut: readonly { readonly sample: TrainingSample; readonly ratio: number }[] = [];

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
    { learner, options, augment, input, signal, onProgress, anomalies: anomalous }: TrainingSettings,
    images: AsyncIterable<TrainingImage>,
    maker: FeatureMaker,
    store: FeatureStore,
    isWhole: boolean,
  ): Promise<Parts> {
    const { height, width, channels } = maker.extents;
    // what it refuses, before any image is read
    learner.configure({ height, width, channels, variance: 1, images: LEAST_IMAGES }, options);
    const set = new TrainingSet(channels);
    const reader = new ViewReader(device, maker, isTiled(input) ? new Cutter(input) : null);
    const samples: TrainingSample[] = [];
    const keep = async (
      features: Tensor,
      name: string,
    ): Promise<{ readonly print: string; readonly index: number }> => {
      try {
        return { print: set.addFeatures(await toArray(features), name), index: await store.add(features) };
      } finally {
        release(features);
      }
    };
    let regions = false;
    signal?.throwIfAborted();
    for await (const image of images) {
      const { className, region } = image;
      const name = image.name ?? `image ${samples.length + 1}, of class ${className},`;
      regions ||= Boolean(region);
      const cut = reader.cutOf(image, name);
      const [views, prints]: [StoredView[], string[]] = [[], []];
      let even = true;
      for await (const { features, shown, isEven } of reader.views(image, cut)) {
        const { index, print } = await keep(features, name);
        if (!shown && augment !== "none")
          throw new OptionError(
            `training: augment ${augment} turns pictures, and ${name} came as features: leave it out`,
          );
        const copies: number[] = [];
        for (const copy of shown ? copiesOf(shown, augment) : [])
          copies.push((await keep(maker.rawOf([copy]), name)).index);
        views.push({ index, copies });
        prints.push(print);
        even &&= isEven;
        signal?.throwIfAborted();
      }
      set.addImage(className, prints, even);
      samples.push({ className, name, cut, views });
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
      for await (const { features, mask } of reader.anomalies(one)) {
        try {
          requireFinite(await toArray(features), one.name);
          anomalies.push({ index: await store.add(features), mask });
        } finally {
          release(features);
        }
        signal?.throwIfAborted();
      }
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
  get leftOut(): readonly TrainingSample[] {
    return this.#leftOut.map(({ sample }) => sample);
  }

  /** The same, with how unlike the others they are. */
  get suspects(): readonly Suspect[] {
    return this.#leftOut.map(({ sample: { name, className }, ratio }) => ({ name, className, ratio }));
  }

  /** Sentences for people about images that do not go with the tiles; mostly none. */
  get remarks(): readonly string[] {
    const tile = this.samples[0]!.cut?.tiles[0]!.place.width;
    if (tile === undefined) return [];
    const isSmall = ({ cut }: TrainingSample): boolean =>
      Math.max(cut!.photograph.width, cut!.photograph.height) <= tile;
    if (!this.samples.every(isSmall)) return [];
    return [`no image is larger than a tile of ${tile} pixels: use a smaller one, or none`];
  }

  /** Compares each good image with the others of its class. */
  compare(onImage: (done: number) => void): Promise<Map<TrainingSample, Unlikeness>> {
    return compareWithOthers(this.#device, this.samples, (index) => this.features([index]), onImage);
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
    const ranked = [...unlikeness].map(([sample, { ratio }]) => ({ sample, ratio })).sort((a, b) => b.ratio - a.ratio);
    this.#leftOut = [...new Set(this.samples.map(({ className }) => className))].flatMap((name) => {
      const members = ranked.filter(({ sample }) => sample.className === name);
      const count = Math.min(Math.round(share * members.length), members.length - LEAST_IMAGES);
      return members.slice(0, Math.max(0, count));
    });
    const left = new Set(this.leftOut);
    this.#samples = this.samples.filter((sample) => !left.has(sample));
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
