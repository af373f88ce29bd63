import type { BackboneIdentity } from "../backbones/backbone.ts";
import { createBackbone, isPretrained, type BackboneName } from "../backbones/registry.ts";
import type { PretrainedWeights } from "../backbones/weights.ts";
import type { Assembly, FeatureExtents, Json, Model, Scoring } from "../methods/method.ts";
import { loadMethod } from "../methods/registry.ts";
import { storageOf } from "../nn/storage.ts";
import { Weights, type StoredTensors } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import { dispose } from "../runtime/disposal.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { Placement, Size } from "../io/placement.ts";
import { sameShape, type Tensor } from "../tensor/tensor.ts";
import { stageNames } from "./assembly.ts";
import { BatchScorer } from "./batch_scorer.ts";
import { calibratedScore, describeSpread, type Calibration } from "./calibration.ts";
import { FeatureExtractor, FeatureMaker, type Preprocessing } from "./features.ts";
import { ImageScorer } from "./image_scorer.ts";
import { mapPlacementOf, mapSizeOf, type DetectorInput } from "./input.ts";
import {
  requireInspection,
  type FeatureInspection,
  type FeatureRegions,
  type InputImage,
  type InspectOptions,
  type Inspection,
  type InspectionFailure,
  type TiledFeatures,
} from "./inspection.ts";
import type { ScoresOrProblem } from "./photograph_scores.ts";
import type { ImageScores } from "./scoring.ts";

/** Everything that restores a detector, besides its weights: the `config` in its file's metadata. */
export interface DetectorConfig {
  readonly method: { readonly name: string; readonly config: Json };
  readonly backbone: BackboneIdentity;
  readonly input: DetectorInput;
  /** True if it was trained with regions of interest. */
  readonly regions: boolean;
  readonly assembly: Assembly;
  readonly scoring: Scoring;
  readonly calibration: Calibration;
}

/** Options of a detector's arithmetic. */
export interface DetectorOptions {
  /**
   * True to store weights and activations of the backbone and the method's model in f16; sums stay f32. This halves
   * memory traffic; scores differ by less than a hundredth. Default false.
   */
  readonly half?: boolean;
}

/**
 * Requires that a model is for the features of a backbone.
 * @param source the model's file, for errors
 * @throws InputError if it is for features of another shape
 */
export function requireFeaturesOf(
  { backbone: { identity, input }, extents }: FeatureMaker,
  { height, width, channels }: FeatureExtents,
  source: string,
): void {
  const [made, own] = [
    [extents.height, extents.width, extents.channels],
    [height, width, channels],
  ];
  if (sameShape(made, own)) return;
  const makes = `${identity.name} makes [${made.join(",")}] of ${input.side} pixels`;
  throw new InputError(`${source}: its model is for features [${own.join(",")}], but ${makes}; the file is damaged`);
}

const CHECK_WEIGHTS =
  "check the weights of the model and its backbone, which are damaged or were not made for such images";
/** A trained anomaly detector: preprocessing, backbone, a method's model, scores, threshold. */
export class Detector {
  #config: DetectorConfig;
  readonly #features: FeatureExtractor;
  readonly #model: Model;
  readonly #batches: BatchScorer;
  readonly #scorer: ImageScorer;

  private constructor(features: FeatureExtractor, model: Model, config: DetectorConfig) {
    this.#features = features;
    this.#model = model;
    model.weights.freeze();
    this.#config = config;
    this.#batches = new BatchScorer(features, model, config);
    this.#scorer = new ImageScorer(this.#batches, config);
  }

  /**
   * Puts a detector together; its model's weights are frozen.
   * @internal Users have detectors from `Training.finish`, or from a file.
   */
  static assemble(features: FeatureExtractor, model: Model, config: DetectorConfig): Detector {
    return new Detector(features, model, config);
  }

  /** Everything that restores it, besides its weights. */
  get config(): DetectorConfig {
    return this.#config;
  }

  /** Gives scores and maps another meaning: other thresholds, as `calibrateDetector` finds them. */
  calibrate(calibration: Calibration): void {
    this.#config = { ...this.#config, calibration };
  }

  /** The device that holds it. */
  get device(): Device {
    return this.#model.weights.device;
  }

  /** True if it computes in half precision. */
  get half(): boolean {
    return this.#model.weights.frozen === "f16";
  }

  /**
   * Restores a detector from its configuration and the tensors that `tensors` returned.
   * @param source the file's name, for errors
   * @param pretrained the backbone's weights; null where it has none
   * @throws InputError if a tensor is missing or has another shape, or the backbone's weights are not those it was
   * trained with; UnsupportedError for half precision where the device lacks it
   */
  static async restore(
    device: Device,
    config: DetectorConfig,
    tensors: StoredTensors,
    source: string,
    pretrained: PretrainedWeights | null,
    { half = false }: DetectorOptions = {},
  ): Promise<Detector> {
    const dtype = storageOf(device, half);
    const {
      method: { name: methodName, config: modelConfig },
      input: { size: inputSize, resize },
      assembly,
    } = config;
    const { name, weights: sha256, padding } = config.backbone;
    if (sha256 !== (pretrained?.sha256 ?? null)) {
      const given = pretrained ? `${pretrained.source} has ${pretrained.sha256}` : "none were given";
      throw new InputError(`${source} was trained on ${name} weights of SHA-256 ${sha256}; ${given}`);
    }
    const method = await loadMethod(methodName);
    const stages = isPretrained(name) ? stageNames(assembly) : null;
    const backbone = await createBackbone(device, name as BackboneName, {
      inputSize,
      stages,
      padding,
      weights: pretrained,
      dtype,
    });
    const weights = Weights.stored(device, tensors, source);
    try {
      const maker = new FeatureMaker(device, backbone, assembly, resize);
      requireFeaturesOf(maker, method.validate(modelConfig), source);
      const { channels } = maker.extents;
      const extractor = new FeatureExtractor(maker, (name) => weights.state(name, [channels], () => 0));
      const model = method.restore(modelConfig, weights);
      weights.freeze(dtype);
      return new Detector(extractor, model, config);
    } catch (error) {
      weights.release();
      backbone.release();
      throw error;
    }
  }

  /** Preprocessing of photographs: resized with antialiasing, divided by 255, minus mean, divided by std. */
  get preprocessing(): Preprocessing {
    return this.#features.maker.preprocessing;
  }

  /**
   * The part of a picture that the detector sees, and its place in the map.
   * @param map the map's size. Default: that of the picture's own
   */
  placementOf(picture: Size, map?: Size): Placement {
    return mapPlacementOf(this.config.input, picture, map);
  }

  /**
   * Returns all learned tensors by name.
   * @throws OptionError in half precision, which has no f32 weights
   */
  tensors(): ReadonlyMap<string, Tensor> {
    if (this.half)
      throw new OptionError(
        "loaded in half precision, the detector has no f32 weights to save: load it without `half`",
      );
    return new Map([...this.#features.tensors(), ...this.#model.weights.all()]);
  }

  /** Rows about the model, for the report and the end of `bigrid train`. */
  get summary(): Model["summary"] {
    const spread = describeSpread(this.config.calibration);
    return [...this.#model.summary, ...(spread === null ? [] : [["Threshold", spread] as const])];
  }

  /** Gives everything's storage back. */
  release(): void {
    this.#batches.release();
    this.#features.release();
    this.#model.weights.release();
  }

  /** The same as `release`, for `using`. */
  [dispose](): void {
    this.release();
  }

  /**
   * Scores images and maps their anomalies. Pixels outside an image's region are 0 in its map and affect neither score
   * nor peak nor the rest of the map.
   * @throws OptionError if an image is missing, or a region has another size than its image or no pixel in the map;
   * InputError, with the number of the image, if a score or a map is not finite
   */
  async inspect(images: readonly InputImage[], options: InspectOptions = {}): Promise<Inspection[]> {
    return (await this.inspectEach(images, options)).map((outcome, i) => requireInspection(outcome, `image ${i}`));
  }

  /**
   * Does the same, but an image that cannot be inspected does not fail the others.
   * @returns for each image its inspection, or the reason why it has none; such an image must not count as good
   * @throws OptionError as `inspect`
   */
  async inspectEach(
    images: readonly InputImage[],
    options: InspectOptions = {},
  ): Promise<(Inspection | InspectionFailure)[]> {
    const reads = await this.#scorer.scoreImages(images, options);
    return reads.map((read, i) => {
      const { width, height } = images[i]!.image;
      const photograph = { width, height };
      const outcome = this.#inspectionOf(read, photograph);
      if ("reason" in outcome) return outcome;
      return { ...outcome, photograph, placement: this.placementOf(photograph), heat: this.config.calibration.heat };
    });
  }

  /**
   * Inspects features that `FeatureMaker.raw` has made before, `[N, cells, cells, channels]`; they are of the images'
   * regions already.
   * @throws InputError as `inspect`
   */
  async inspectFeatures(features: Tensor, options: FeatureRegions = {}): Promise<FeatureInspection[]> {
    const outcomes = await this.inspectEachFeatures(features, options);
    return outcomes.map((outcome, i) => requireInspection(outcome, `image ${i}`));
  }

  /** Does the same, but an image that cannot be inspected does not fail the others, as in `inspectEach`. */
  async inspectEachFeatures(
    features: Tensor,
    regions: FeatureRegions = {},
  ): Promise<(FeatureInspection | InspectionFailure)[]> {
    const { size } = this.config.input;
    const reads = await this.#scorer.scoreFeatures(features, regions);
    return reads.map((read) => this.#inspectionOf(read, { width: size, height: size }));
  }

  /**
   * Inspects a photograph by features of its tiles that `FeatureMaker.raw` has made before, in the order of `cutOf`.
   * @throws OptionError as `inspect`; UsageError for a detector without tiles
   */
  async inspectTiledFeatures(
    photograph: TiledFeatures,
    options: InspectOptions = {},
  ): Promise<FeatureInspection | InspectionFailure> {
    return this.#inspectionOf(await this.#scorer.scoreTiledFeatures(photograph, options), photograph.image);
  }

  /**
   * Compiles the kernels that `inspect` needs for a batch of this size, in parallel; with `autotune`, it also measures
   * their forms. `inspect` calls it itself; call it earlier to avoid the wait at the first batch.
   * @param images the number of images in a batch, or of tiles
   * @param options `regions`: true if images have regions of interest
   */
  prepare(images: number, { regions = false }: { readonly regions?: boolean } = {}): Promise<void> {
    return this.#batches.prepare(images, { regions });
  }

  /**
   * Scores preprocessed images and leaves the results on the device.
   * @param images `[N, size, size, 3]`, as `preprocessing` says
   */
  score(images: Tensor): ImageScores {
    return this.#batches.score(images);
  }

  #inspectionOf(read: ScoresOrProblem, photograph: Size): FeatureInspection | InspectionFailure {
    if ("problem" in read) {
      const remedy = this.half ? "load the detector without half precision, or " : "";
      return { reason: `${read.problem}; ${remedy}${CHECK_WEIGHTS}` };
    }
    const { calibration, input } = this.config;
    const { map, score, peak } = read;
    return { score, calibrated: calibratedScore(score, calibration), peak, map, size: mapSizeOf(input, photograph) };
  }
}
