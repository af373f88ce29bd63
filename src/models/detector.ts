import { anomalyMap } from "../ops/losses.ts";
import { averagePool } from "../ops/pool.ts";
import { add, multiply } from "../ops/elementwise.ts";
import { imagesToTensor } from "../ops/images.ts";
import { placementOf, type Fit, type Placement } from "../tensor/placement.ts";
import { max } from "../ops/reduce.ts";
import { resize } from "../ops/resize.ts";
import { reshape } from "../ops/shape.ts";
import { Weights, type StoredTensors } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import { InputError } from "../runtime/errors.ts";
import { RandomStream } from "../tensor/random.ts";
import { fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";
import type { DecodedImage } from "../io/image.ts";
import type { Backbone, BackboneName, BackboneSettings } from "./backbone.ts";
import { createBackbone } from "./create_backbone.ts";
import type { Checkpoint } from "./efficientnet/checkpoint.ts";
import type { NetworkPadding } from "./efficientnet/efficientnet.ts";
import { FeatureStore, type Spill } from "./feature_store.ts";
import { gradConfig, REFERENCE_VARIANCE, type DecoderName, type GradConfig } from "./grad/config.ts";
import { fit, type FitStep } from "./grad/fit.ts";
import { Grad } from "./grad/model.ts";

/** A good image to learn from. */
export interface TrainingImage {
  readonly className: string;
  readonly image: DecodedImage;
}

export interface TrainOptions {
  readonly backbone: BackboneName;
  /** Weights of the backbone, where it is an EfficientNet. */
  readonly checkpoint?: Checkpoint | null;
  /** An EfficientNet's padding. Default "same". */
  readonly padding?: NetworkPadding;
  /** How photographs fill the square. Default "stretch". */
  readonly fit?: Fit;
  readonly decoder: DecoderName;
  /** Side of the square that images are resized to, pixels. */
  readonly inputSize: number;
  readonly epochsAbnormal: number;
  readonly epochsNormal: number;
  readonly batch: number;
  readonly seed: number;
  /** Device memory for the training set's features, bytes; beyond it they go to `spill`, if there is one. Default 1 GiB. */
  readonly featureBudget?: number;
  readonly spill?: Spill | null;
}

/** What training reports while it runs. */
export type TrainProgress =
  | { readonly phase: "features"; readonly done: number }
  | ({ readonly phase: "fit" } & FitStep)
  | { readonly phase: "calibrate"; readonly done: number; readonly total: number };

/** What the detector says of one image. */
export interface Inspection {
  /** The larger, the more anomalous: the largest mean of the map over a window. In units of the features. */
  readonly score: number;
  /** The largest single value of the map. */
  readonly peak: number;
  /** `size` x `size`, row-major: the anomaly of each pixel of the resized image. */
  readonly map: Float32Array;
  readonly size: number;
}

/** Scores that good images reach, measured on good images held out of training. */
export interface Calibration {
  /** Above it an image is defective: the largest of the classes'. */
  readonly threshold: number;
  /** By class: what a further good image exceeds in one case of a hundred. */
  readonly classThresholds: Readonly<Record<string, number>>;
  /** Values of the map drawn as nothing, what good images peak at, and as the strongest heat; logarithmic between, the same for all images. */
  readonly heat: readonly [low: number, high: number];
}

/** What a detector is besides its weights: what its file's metadata says. */
export interface DetectorConfig {
  readonly backbone: BackboneSettings;
  readonly inputSize: number;
  readonly fit: Fit;
  readonly grad: GradConfig;
  readonly calibration: Calibration;
}

const DEFAULT_BUDGET = 2 ** 30;
const HELD_OUT = 5; // every fifth good image calibrates instead of training
const LEAST_TO_SPLIT = 10; // images of a class; with fewer, all of them do both
const HEAT_RANGE = 12; // the strongest heat, in units of the weakest
const INITIAL_STREAM = 0;

/** A trained anomaly detector: preprocessing, backbone, GRAD, scores, threshold. */
export class Detector {
  readonly config: DetectorConfig;
  readonly #features: FeatureExtractor;
  readonly #model: Grad;

  private constructor(features: FeatureExtractor, model: Grad, config: DetectorConfig) {
    this.#features = features;
    this.#model = model;
    this.config = config;
  }

  get device(): Device {
    return this.#model.weights.device;
  }

  /**
   * Learns what good images look like. Images are read once, in order; only their features are kept.
   *
   * @param images good images of one class or several
   * @param onProgress called as training goes on
   * @throws InputError if there are fewer than two images
   */
  static async train(
    device: Device,
    images: AsyncIterable<TrainingImage>,
    options: TrainOptions,
    onProgress: (progress: TrainProgress) => void = () => undefined,
  ): Promise<Detector> {
    const { fit: placing = "stretch" } = options;
    const backbone = await createBackbone(device, options.backbone, options);
    const canHalve = device.gpu.features.has("shader-f16") && !backbone.standardise; // channels small beside their mean would lose too much
    const { featureBudget = DEFAULT_BUDGET, spill = null } = options;
    const store = new FeatureStore(device, { dtype: canHalve ? "f16" : "f32", budget: featureBudget, spill });
    const statistics = new ChannelStatistics(backbone.channels);
    const samples: Sample[] = [];
    for await (const { className, image } of images) {
      const features = rawFeatures(device, backbone, placing, [image]);
      statistics.add(await toArray(features));
      samples.push({ className, index: await store.add(features) });
      release(features);
      onProgress({ phase: "features", done: samples.length });
    }
    if (samples.length < 2) throw new InputError(`training needs at least two good images, got ${samples.length}`);

    const { extractor, variance } = standardiserOf(device, backbone, placing, statistics);
    const { training, heldOut } = split(samples);
    const featuresOf = async (chosen: readonly Sample[]): Promise<Tensor> => {
      const raw = await store.batch(chosen.map(({ index }) => index));
      using scope = device.scope();
      const features = scope.keep(extractor.standardise(raw));
      release(raw);
      return features;
    };
    const shape = { height: backbone.cells, width: backbone.cells, channels: backbone.channels, variance };
    const config = gradConfig(shape, options.decoder);
    const model = new Grad(Weights.drawn(device), config, new RandomStream(options.seed, INITIAL_STREAM));
    const fitOptions = { ...options, featureVariance: variance };
    const source = { count: training.length, batch: (indices: readonly number[]) => featuresOf(indices.map((i) => training[i]!)) };
    for await (const step of fit(model, source, fitOptions)) onProgress({ phase: "fit", ...step });

    const uncalibrated = { backbone: backbone.settings, inputSize: options.inputSize, fit: placing, grad: config, calibration: NOT_CALIBRATED };
    const calibration = await calibrate(new Detector(extractor, model, uncalibrated), heldOut, featuresOf, onProgress);
    store.release();
    return new Detector(extractor, model, { ...uncalibrated, calibration });
  }

  /**
   * A detector from what `tensors` returned.
   * @param source the file's name, for errors
   * @param checkpoint the backbone's weights; null where it has none
   * @throws InputError if a tensor is missing or has another shape, or the backbone's weights are not those it was trained with
   */
  static async restore(device: Device, config: DetectorConfig, tensors: StoredTensors, source: string, checkpoint: Checkpoint | null): Promise<Detector> {
    const { name, weights: sha256, padding } = config.backbone;
    if (sha256 !== (checkpoint?.sha256 ?? null)) {
      throw new InputError(`${source} was trained on ${name} weights of SHA-256 ${sha256}; ${checkpoint ? `${checkpoint.source} has ${checkpoint.sha256}` : "none were given"}`);
    }
    const weights = Weights.stored(device, tensors, source);
    const backbone = await createBackbone(device, name, { inputSize: config.inputSize, padding, checkpoint });
    const extractor = new FeatureExtractor(backbone, config.fit, (name) => weights.state(name, [backbone.channels], () => 0));
    return new Detector(extractor, new Grad(weights, config.grad, new RandomStream(0, INITIAL_STREAM)), config);
  }

  /** Which part of a picture the detector looks at, and where its map has that. */
  placementOf(picture: { readonly width: number; readonly height: number }): Placement {
    const { fit: placing, inputSize } = this.config;
    return placementOf(placing, picture, { width: inputSize, height: inputSize });
  }

  /** Everything that was learned, by name. */
  tensors(): ReadonlyMap<string, Tensor> {
    return new Map([...this.#features.tensors(), ...this.#model.weights.all()]);
  }

  /** Scores images and maps their anomalies. Images are inspected as one batch. */
  async inspect(images: readonly DecodedImage[]): Promise<Inspection[]> {
    return this.#inspections(this.#started(() => this.#features.extract(images)));
  }

  /** The same for features `[N, cells, cells, channels]` that are at hand. */
  async inspectFeatures(features: Tensor): Promise<Inspection[]> {
    return this.#inspections(this.#started(() => features));
  }

  #started(featuresOf: () => Tensor): readonly Promise<Float32Array>[] {
    using _scope = this.device.scope();
    return this.#score(featuresOf());
  }

  /** Maps, window means and peaks of a batch, on their way back. */
  #score(features: Tensor): readonly Promise<Float32Array>[] {
    const { grad, inputSize } = this.config;
    const [batch, height, width] = features.shape as [number, number, number];
    const reconstruction = this.#model.reconstruct(this.#model.codes(features, null), "inference");
    const cells = anomalyMap(features, reconstruction, { threshold: grad.similarityThreshold });
    const pixels = resize(reshape(cells, [batch, height, width, 1]), [inputSize, inputSize], { alignCorners: true });
    const { smoothing, window } = windowsOf(inputSize);
    const half = (smoothing - 1) / 2;
    // A box is separable, and so is the number of its pixels inside the image.
    const rows = averagePool(pixels, [1, smoothing], { stride: 1, padding: [0, half], countIncludePad: false });
    const map = averagePool(rows, [smoothing, 1], { stride: 1, padding: [half, 0], countIncludePad: false });
    const means = averagePool(averagePool(map, [1, window], { stride: 1 }), [window, 1], { stride: 1 });
    return [toArray(map), toArray(max(means, [1, 2, 3])), toArray(max(map, [1, 2, 3]))];
  }

  async #inspections(reads: readonly Promise<Float32Array>[]): Promise<Inspection[]> {
    const [maps, scores, peaks] = (await Promise.all(reads)) as [Float32Array, Float32Array, Float32Array];
    const size = this.config.inputSize;
    return Array.from(scores, (score, i) => ({ score, peak: peaks[i]!, map: maps.slice(i * size * size, (i + 1) * size * size), size }));
  }
}

const NOT_CALIBRATED: Calibration = { threshold: Infinity, classThresholds: {}, heat: [0, 1] };

/** GRAD smooths maps with 21 x 21 and scores them with 32 x 32 means at 224 pixels; in proportion at other sizes. */
function windowsOf(inputSize: number): { readonly smoothing: number; readonly window: number } {
  const scale = inputSize / 224;
  return { smoothing: 2 * Math.round((21 * scale - 1) / 2) + 1, window: Math.max(1, Math.round(32 * scale)) };
}

interface Sample {
  readonly className: string;
  /** Of its features in the store. */
  readonly index: number;
}

function rawFeatures(device: Device, backbone: Backbone, fit: Fit, images: readonly DecodedImage[]): Tensor {
  using scope = device.scope();
  const { inputSize, mean, deviation } = backbone;
  return scope.keep(backbone.extract(imagesToTensor(device, images, { height: inputSize, width: inputSize, mean, deviation, fit })));
}

/** A backbone followed by (feature + offset) * scale, per channel. */
class FeatureExtractor {
  readonly #backbone: Backbone;
  readonly #fit: Fit;
  readonly #offset: Tensor;
  readonly #scale: Tensor;

  constructor(backbone: Backbone, fit: Fit, constantOf: (name: string) => Tensor) {
    this.#backbone = backbone;
    this.#fit = fit;
    this.#offset = constantOf("features.offset");
    this.#scale = constantOf("features.scale");
  }

  extract(images: readonly DecodedImage[]): Tensor {
    return this.standardise(rawFeatures(this.#offset.device, this.#backbone, this.#fit, images));
  }

  standardise(features: Tensor): Tensor {
    return multiply(add(features, this.#offset), this.#scale);
  }

  tensors(): ReadonlyMap<string, Tensor> {
    return new Map([["features.offset", this.#offset], ["features.scale", this.#scale]]);
  }
}

/** Mean and variance of each channel over everything added. */
class ChannelStatistics {
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

/** Brings each channel to mean 0 and the variance that GRAD's constants are stated for, where the backbone wants that. */
function standardiserOf(device: Device, backbone: Backbone, fit: Fit, { means, variances }: ChannelStatistics): { readonly extractor: FeatureExtractor; readonly variance: number } {
  const { channels } = backbone;
  const variance = variances.reduce((sum, v) => sum + v, 0) / channels;
  // A channel that hardly varies over good images says little; it must not be blown up to noise.
  const floor = 1e-4 * variance;
  const constants = new Map([
    ["features.offset", backbone.standardise ? means.map((mean) => -mean) : means.map(() => 0)],
    ["features.scale", backbone.standardise ? variances.map((v) => Math.sqrt(REFERENCE_VARIANCE / (v + floor))) : means.map(() => 1)],
  ]);
  const extractor = new FeatureExtractor(backbone, fit, (name) => fromArray(device, [channels], Float32Array.from(constants.get(name)!)));
  return { extractor, variance: backbone.standardise ? REFERENCE_VARIANCE : variance };
}

/** Every fifth image of a class calibrates; all of them do, and train too, where a class has few. */
function split(samples: readonly Sample[]): { readonly training: readonly Sample[]; readonly heldOut: readonly Sample[] } {
  const counts = new Map<string, number>();
  for (const { className } of samples) counts.set(className, (counts.get(className) ?? 0) + 1);
  const seen = new Map<string, number>();
  const training: Sample[] = [];
  const heldOut: Sample[] = [];
  for (const sample of samples) {
    const nth = (seen.get(sample.className) ?? 0) + 1;
    seen.set(sample.className, nth);
    const few = counts.get(sample.className)! < LEAST_TO_SPLIT;
    if (few || nth % HELD_OUT === 0) heldOut.push(sample);
    if (few || nth % HELD_OUT !== 0) training.push(sample);
  }
  return { training, heldOut };
}

async function calibrate(
  detector: Detector,
  heldOut: readonly Sample[],
  featuresOf: (samples: readonly Sample[]) => Promise<Tensor>,
  onProgress: (progress: TrainProgress) => void,
): Promise<Calibration> {
  const scores = new Map<string, number[]>();
  let logPeaks = 0;
  let done = 0;
  for (const sample of heldOut) {
    const { className } = sample;
    const features = await featuresOf([sample]);
    const inspections = detector.inspectFeatures(features);
    release(features);
    const [{ score, peak }] = (await inspections) as [Inspection];
    scores.set(className, [...(scores.get(className) ?? []), score]);
    logPeaks += Math.log(peak);
    onProgress({ phase: "calibrate", done: ++done, total: heldOut.length });
  }
  const classThresholds = Object.fromEntries([...scores].map(([name, values]) => [name, highestGood(values)]));
  const typicalPeak = Math.exp(logPeaks / heldOut.length);
  return { threshold: Math.max(...Object.values(classThresholds)), classThresholds, heat: [typicalPeak, HEAT_RANGE * typicalPeak] };
}

/**
 * The score that a further good image exceeds with probability 0.01: the upper bound of a normal prediction interval for
 * the logarithm. Scores are errors, so it is their ratios that matter.
 */
function highestGood(scores: readonly number[]): number {
  const logs = scores.map((score) => Math.log(score));
  const count = logs.length;
  const mean = logs.reduce((sum, x) => sum + x, 0) / count;
  const freedom = Math.max(1, count - 1);
  const variance = logs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / freedom;
  return Math.exp(mean + studentQuantile(freedom) * Math.sqrt(variance * (1 + 1 / count)));
}

const STUDENT_99 = [31.821, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821, 2.764];

/** 0.99 quantile of Student's t; beyond the table within 0.003 by its expansion around the normal quantile. */
const studentQuantile = (freedom: number): number => STUDENT_99[freedom - 1] ?? 2.3263 + 3.729 / freedom + 5.72 / freedom ** 2;
