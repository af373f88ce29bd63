import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Dataset, DatasetClass, Item } from "../../data/dataset.ts";
import { rawAssembly } from "../../detection/assembly.ts";
import type { Detector } from "../../detection/detector.ts";
import { Cutter, isTiled } from "../../detection/cut.ts";
import { imagesTogether } from "../../detection/evaluation.ts";
import type { FeatureInspection, InspectionFailure } from "../../detection/inspection.ts";
import { createFeatureMaker } from "../../detection/material.ts";
import { planMemoryModel, type MemoryModel } from "../../detection/memory_estimate.ts";
import type { PictureRegion, Region } from "../../detection/region.ts";
import { ViewReader, type TrainingImage } from "../../detection/views.ts";
import type { FeatureExtents } from "../../methods/method.ts";
import { FeatureFile, stampOf, type KeptPicture } from "../../node/feature_file.ts";
import type { RunImages } from "../../node/run_images.ts";
import type { Device } from "../../runtime/device.ts";
import { VERSION } from "../../runtime/version.ts";
import { fromArray, release, toArray, type Tensor } from "../../tensor/tensor.ts";
import { readableImages } from "../dataset.ts";
import { evaluateImage, type InspectItems } from "../evaluate/evaluate_run.ts";
import { showProgress } from "../terminal/progress.ts";
import type { Contender } from "./contenders.ts";
import type { Conditions } from "./results.ts";

/** A contender with the model that it would make, and the features that this is for. */
export interface Planned extends Contender {
  readonly model: MemoryModel;
  readonly extents: FeatureExtents;
}

/**
 * Plans a contender's model, without any work on the GPU.
 * @param images that it would be trained on
 * @throws OptionError if it cannot be made with these options, or on this device
 */
export async function planContender(device: Device, contender: Contender, images: number): Promise<Planned> {
  const { method, settings } = contender;
  const { backbone, stages, inputSize, options } = settings;
  const model = await planMemoryModel(device, { method: method.name, backbone, stages, inputSize, options, images });
  return { ...contender, model, extents: method.validate(model.config) };
}

/** Images, and how they are read. */
export interface ImageSource {
  readonly root: string;
  readonly dataset: Dataset;
  /** The part of each image that counts, and its identity. */
  readonly region: Region | null;
  readonly regionHash: Conditions["region"];
  /** The same as runs keep it. */
  readonly kept: Omit<RunImages, "folders">;
  /** True to fail at the first image that cannot be read. */
  readonly strict: boolean;
}

/** Identifies the features that a contender sees, before any standardising: contenders of one key share them. */
export function featureKey(
  device: Device,
  { settings, model }: Planned,
  { regionHash }: Pick<ImageSource, "regionHash">,
): string {
  const { backbone, padding, weights, inputSize, resize, input } = settings;
  return JSON.stringify({
    version: VERSION,
    adapter: device.adapter.description,
    backbone,
    weights: weights?.sha256 ?? null,
    padding,
    assembly: rawAssembly(model.assembly),
    inputSize,
    resize,
    ...(input.tiles && { tiles: input.tiles }),
    region: regionHash,
  });
}

/** The circumstances of computing missing features. */
export interface Completion {
  /** Title of the progress bar. */
  readonly title: string;
  /** Paths of images that cannot be used: none is tried, or named, twice. */
  readonly unusable: Set<string>;
  /** Called before each image. */
  readonly requireGoingOn: () => void;
}

/** The features of a dataset's images, in a file: read by the training and the evaluation of whoever sees the same. */
export class StoredFeatures {
  /** The dataset without the images that cannot be used. */
  readonly dataset: Dataset;
  /** SHA-256 over its images and masks: paths, sizes, times and labels. */
  readonly images: string;
  /** Seconds that the features of the training images took. */
  readonly trainingSeconds: number;
  /** The good images, or all of their tiles. */
  readonly trainingSamples: number;
  readonly #file: FeatureFile;
  readonly #source: ImageSource;
  readonly #pictures: ReadonlyMap<string, KeptPicture>;

  private constructor(
    file: FeatureFile,
    source: ImageSource,
    dataset: Dataset,
    pictures: ReadonlyMap<string, KeptPicture>,
    images: string,
  ) {
    [this.#file, this.#source, this.dataset, this.#pictures, this.images] = [file, source, dataset, pictures, images];
    const trained = dataset.classes.flatMap(({ train }) => train.map(({ path }) => pictures.get(path)!));
    this.trainingSeconds = trained.reduce((sum, { seconds }) => sum + seconds, 0);
    this.trainingSamples = trained.reduce((sum, { records }) => sum + records, 0);
  }

  /**
   * Opens a folder's features of a contender, and computes those that are missing.
   * @throws InputError if the folder cannot be written; what `requireGoingOn` throws
   */
  static async complete(
    folder: string,
    source: ImageSource,
    device: Device,
    planned: Planned,
    completion: Completion,
  ): Promise<StoredFeatures> {
    const { height, width, channels } = planned.extents;
    const key = featureKey(device, planned, source);
    const file = await FeatureFile.open(folder, planned.settings.backbone, key, height * width * channels);
    try {
      await addMissing(file, source, device, planned, completion);
      return await StoredFeatures.#of(file, source);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  static async #of(file: FeatureFile, source: ImageSource): Promise<StoredFeatures> {
    const { root, dataset } = source;
    const pictures = new Map<string, KeptPicture>();
    const hash = createHash("sha256");
    const usable = async (className: string, items: readonly Item[]): Promise<Item[]> => {
      const used: Item[] = [];
      for (const item of items) {
        const { path, defective, masks } = item;
        const stamp = await stampOf(join(root, path)).catch(() => null);
        const picture = stamp === null ? null : file.find(path, stamp);
        if (!picture) continue;
        pictures.set(path, picture);
        const stamps = await Promise.all(masks.map((mask) => stampOf(join(root, mask)).catch(() => null)));
        hash.update(JSON.stringify([className, path, stamp, defective, masks, stamps]));
        used.push(item);
      }
      return used;
    };
    const classes: DatasetClass[] = [];
    for (const { name, train, test } of dataset.classes)
      classes.push({ name, train: await usable(`${name} train`, train), test: await usable(name, test) });
    return new StoredFeatures(file, source, { ...dataset, classes }, pictures, hash.digest("hex"));
  }

  /** The good images, as a training takes them. */
  async *trainingImages({ settings }: Pick<Contender, "settings">): AsyncGenerator<TrainingImage> {
    const { root, region } = this.#source;
    const { input } = settings;
    for (const { name: className, train } of this.dataset.classes) {
      for (const { path } of train) {
        const picture = this.#pictures.get(path)!;
        const name = join(root, path);
        const { width, height, even } = picture;
        const tileFeatures = (nth: number): Promise<Float32Array> => this.#file.read(picture, nth);
        const image = isTiled(input) ? { width, height, tileFeatures } : await this.#file.read(picture);
        yield { name, className, image, even, region: region?.of(picture, name, input) ?? null };
      }
    }
  }

  /** Inspects test images by their features. `requireGoingOn` is called before each batch. */
  inspect(detector: Detector, extents: FeatureExtents, requireGoingOn: () => void): InspectItems {
    const { root, region } = this.#source;
    const { input, calibration } = detector.config;
    const inspectAll = isTiled(input) ? this.#inspectTiles : this.#inspectWhole;
    const batchOf = async (items: readonly Item[]) => {
      const images = items.map(({ path }) => {
        const image = this.#pictures.get(path)!;
        return { image, region: region?.of(image, join(root, path), input) ?? null };
      });
      const outcomes = await inspectAll.call(this, detector, extents, images);
      return Promise.all(
        items.map((item, i) => {
          const { image, region } = images[i]!;
          const photograph = { width: image.width, height: image.height };
          const outcome = outcomes[i]!;
          const shown = { photograph, placement: detector.placementOf(photograph), heat: calibration.heat };
          return evaluateImage(
            detector,
            root,
            { item, region },
            "reason" in outcome ? outcome : { ...outcome, ...shown },
          );
        }),
      );
    };
    const together = imagesTogether(detector);
    return async function* (items) {
      for (let first = 0; first < items.length; first += together) {
        requireGoingOn();
        yield batchOf(items.slice(first, first + together));
      }
    };
  }

  async #inspectWhole(detector: Detector, extents: FeatureExtents, images: readonly Part[]): Promise<Outcomes> {
    const features = await this.#featuresOf(
      detector,
      extents,
      images.map(({ image }) => [image, 0] as const),
    );
    return detector.inspectEachFeatures(features, { images }).finally(() => release(features));
  }

  async #inspectTiles(detector: Detector, extents: FeatureExtents, images: readonly Part[]): Promise<Outcomes> {
    const outcomes: (FeatureInspection | InspectionFailure)[] = [];
    for (const { image, region } of images) {
      const read = (first: number, count: number): Promise<Tensor> =>
        this.#featuresOf(
          detector,
          extents,
          Array.from({ length: count }, (_, i) => [image, first + i] as const),
        );
      outcomes.push(await detector.inspectTiledFeatures({ image, region, read }));
    }
    return outcomes;
  }

  /** Features of pictures, or of their nth tiles, `[N, H, W, C]`. */
  async #featuresOf(
    { device }: Detector,
    { height, width, channels }: FeatureExtents,
    records: readonly (readonly [picture: KeptPicture, nth: number])[],
  ): Promise<Tensor> {
    const values = new Float32Array(records.length * height * width * channels);
    for (const [i, [picture, nth]] of records.entries())
      values.set(await this.#file.read(picture, nth), (i * values.length) / records.length);
    return fromArray(device, [records.length, height, width, channels], values);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** A picture and the part of it that counts. */
interface Part {
  readonly image: KeptPicture;
  readonly region: PictureRegion | null;
}

type Outcomes = readonly (FeatureInspection | InspectionFailure)[];

/** Computes features of images that a file has not; names those that cannot be read, and leaves them out. */
async function addMissing(
  file: FeatureFile,
  { root, dataset, region, strict }: ImageSource,
  device: Device,
  { settings }: Planned,
  { title, unusable, requireGoingOn }: Completion,
): Promise<void> {
  const all = dataset.classes.flatMap(({ train, test }) => [...train, ...test]);
  const stamps = new Map<string, string>();
  // one that cannot be looked at is named when it is read
  for (const { path } of all) stamps.set(path, await stampOf(join(root, path)).catch(() => ""));
  const missing = all.filter(({ path }) => !unusable.has(path) && !file.find(path, stamps.get(path)!));
  if (missing.length === 0) return;
  const { input } = settings;
  const maker = await createFeatureMaker(device, settings);
  const reader = new ViewReader(device, maker, isTiled(input) ? new Cutter(input) : null);
  const bar = showProgress(title, all.length);
  let done = all.length - missing.length;
  bar.update(done);
  try {
    let before = performance.now();
    const images = readableImages(
      missing,
      ({ path }) => join(root, path),
      { strict, inParts: isTiled(input) },
      () => bar.update(++done),
    );
    for await (const { item, image } of images) {
      requireGoingOn();
      const { path } = item;
      const name = join(root, path);
      const counted = region?.of(image, name, input) ?? null;
      let even = true;
      const features = async function* (): AsyncGenerator<Float32Array> {
        const one = { image, region: counted };
        for await (const view of reader.views(one, reader.cutOf(one, name))) {
          even &&= view.isEven;
          const values = toArray(view.features);
          release(view.features);
          yield await values;
        }
      };
      const { width, height } = image;
      await file.add(features(), () => {
        const seconds = (performance.now() - before) / 1000;
        return { path, stamp: stamps.get(path)!, width, height, even, seconds };
      });
      bar.update(++done);
      before = performance.now();
    }
  } finally {
    bar.end();
    maker.release();
  }
}
