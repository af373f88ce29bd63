import type { Backbone } from "../backbones/backbone.ts";
import { createBackbone, isPretrained } from "../backbones/registry.ts";
import type { Picture } from "../io/image.ts";
import type { AnomalySource } from "../methods/method.ts";
import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import { fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";
import { stageNames } from "./assembly.ts";
import { Cutter, isTiled, type Cut } from "./cut.ts";
import { featureDType, FeatureStore } from "./feature_store.ts";
import { extractorFor, FeatureMaker, type FeatureExtractor } from "./features.ts";
import { byPhotograph, type TrainingSample } from "./folds.ts";
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

/** A good photograph that was read. */
export interface ReadPhotograph {
  readonly name: string;
  /** Its tiles, of each of which there is a sample; null where the photograph as a whole is one. */
  readonly cut: Cut | null;
}

/** The part that is read from images. */
type Parts = Pick<Material, "set" | "samples" | "photographs" | "regions" | "anomalies">;

/** The material of a training: features of all images, read once, and what was measured of them. */
export class Material {
  readonly extractor: FeatureExtractor;
  /** Variance of the features as a model sees them. */
  readonly variance: number;
  /** `[C]`: standard deviation of each channel of them. */
  readonly std: Tensor;
  readonly set: TrainingSet;
  /** All good photographs that were read, by their numbers. */
  readonly photographs: readonly ReadPhotograph[];
  /** True if any picture had a region of interest. */
  readonly regions: boolean;
  readonly anomalies: readonly Anomaly[];
  readonly #device: Device;
  readonly #store: FeatureStore;
  #samples: readonly TrainingSample[];
  #suspects: readonly Suspect[] = [];

  private constructor(device: Device, maker: FeatureMaker, store: FeatureStore, parts: Parts) {
    const { set, samples, photographs, regions, anomalies } = parts;
    [this.#device, this.#store] = [device, store];
    [this.set, this.#samples, this.photographs] = [set, samples, photographs];
    [this.regions, this.anomalies] = [regions, anomalies];
    const { extractor, variance, std } = extractorFor(device, maker, set.statistics);
    [this.extractor, this.variance, this.std] = [extractor, variance, std];
  }

  /**
   * Reads images, once, in order, then real anomalies; only their features are kept, standardised when all are known.
   * @throws as `Training.begin`; nothing is left on the device then
   */
  static async read(
    device: Device,
    settings: TrainingSettings,
    images: AsyncIterable<TrainingImage>,
  ): Promise<Material> {
    const { featureBudget: budget, spill } = settings;
    const maker = await createFeatureMaker(device, settings);
    const store = new FeatureStore(device, { dtype: featureDType(device, maker.backbone.standardise), budget, spill });
    let material: Material | null = null;
    try {
      material = new Material(device, maker, store, await Material.#read(device, settings, images, maker, store));
      await material.#standardise(settings);
      if (settings.dropSuspects > 0) await material.#dropSuspects(settings);
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
    { learner, options, input, signal, onProgress, anomalies: anomalous }: TrainingSettings,
    images: AsyncIterable<TrainingImage>,
    maker: FeatureMaker,
    store: FeatureStore,
  ): Promise<Parts> {
    const { height, width, channels } = maker.extents;
    // what it refuses, before any image is read
    learner.configure({ height, width, channels, variance: 1, images: LEAST_IMAGES }, options);
    const set = new TrainingSet(channels);
    const reader = new ViewReader(device, maker, isTiled(input) ? new Cutter(input) : null);
    const samples: TrainingSample[] = [];
    const photographs: ReadPhotograph[] = [];
    let regions = false;
    signal?.throwIfAborted();
    for await (const image of images) {
      const { className, region } = image;
      const name = image.name ?? `image ${photographs.length + 1}, of class ${className},`;
      regions ||= Boolean(region);
      const cut = reader.cutOf(image, name);
      const prints: string[] = [];
      let even = true;
      for await (const { features, isEven } of reader.views(image, cut)) {
        try {
          prints.push(set.addFeatures(await toArray(features), name));
          even &&= isEven;
          samples.push({ className, index: await store.add(features), photograph: photographs.length });
        } finally {
          release(features);
        }
        signal?.throwIfAborted();
      }
      set.addImage(className, prints, even);
      photographs.push({ name, cut });
      onProgress({ phase: "features", done: photographs.length });
      signal?.throwIfAborted();
    }
    if (photographs.length < LEAST_IMAGES) {
      throw new InputError(
        `training needs at least two good images, got ${photographs.length}; with ten or more of a class, some set its threshold`,
      );
    }
    set.requireVariety();
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
    return { set, samples, photographs, regions, anomalies };
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

  /** Sentences for people about images that do not go with the tiles; mostly none. */
  get remarks(): readonly string[] {
    const tile = this.photographs[0]!.cut?.tiles[0]!.place.width;
    if (tile === undefined) return [];
    const isSmall = ({ cut }: ReadPhotograph): boolean =>
      Math.max(cut!.photograph.width, cut!.photograph.height) <= tile;
    if (!this.photographs.every(isSmall)) return [];
    return [`no image is larger than a tile of ${tile} pixels: use a smaller one, or none`];
  }

  /** Compares each good image with the others of its class. */
  compare(onImage: (done: number) => void): Promise<Map<readonly TrainingSample[], Unlikeness>> {
    return compareWithOthers(this.#device, byPhotograph(this.samples), (one) => this.features([one]), onImage);
  }

  /** Leaves out a share of each class's good images, those least like the others; at least two stay. */
  async #dropSuspects({ dropSuspects: share, signal, onProgress, learner }: TrainingSettings): Promise<void> {
    if ("pixels" in this.extractor.maker.assembly)
      throw new OptionError(
        `training: dropSuspects compares features of a backbone, and the method ${learner.name} takes pixels: leave it out`,
      );
    const total = byPhotograph(this.samples).length;
    const unlikeness = await this.compare((done) => {
      onProgress({ phase: "suspects", done, total });
      signal?.throwIfAborted();
    });
    const ranked = [...unlikeness]
      .map(([members, { ratio }]) => ({ ...members[0]!, ratio }))
      .sort((a, b) => b.ratio - a.ratio);
    const suspects = [...new Set(this.samples.map(({ className }) => className))].flatMap((name) => {
      const members = ranked.filter(({ className }) => className === name);
      const count = Math.min(Math.round(share * members.length), members.length - LEAST_IMAGES);
      return members.slice(0, Math.max(0, count));
    });
    const left = new Set(suspects.map(({ photograph }) => photograph));
    this.#samples = this.samples.filter(({ photograph }) => !left.has(photograph));
    this.#suspects = suspects.map(({ photograph, className, ratio }) => ({
      name: this.photographs[photograph]!.name,
      className,
      ratio,
    }));
  }

  /** Features as a model sees them, `[B, H, W, C]`; the caller releases them. */
  features(samples: readonly Pick<TrainingSample, "index">[]): Promise<Tensor> {
    return this.#store.batch(samples.map(({ index }) => index));
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
        const features = await this.features(chosen);
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
