import { decodeSafetensors, encodeSafetensors, float32Tensors, type StoredTensor } from "../io/safetensors.ts";
import type { DecodedImage } from "../io/image.ts";
import { choiceOf, readOptions, requireWhole } from "../runtime/options.ts";
import { nonFinite, Weights } from "../nn/weights.ts";
import type { OptimizerState } from "../optim/optimizer.ts";
import type { Device } from "../runtime/device.ts";
import { DivergedError, InputError, OptionError, ShapeError } from "../runtime/errors.ts";
import { FITS, type Fit } from "../tensor/placement.ts";
import { RandomStream } from "../tensor/random.ts";
import { fromArray, release, toArray, type Tensor } from "../tensor/tensor.ts";
import { markedCells, type AnomalousImage } from "./marked_cells.ts";
import type { Backbone, BackboneName } from "../backbones/backbone.ts";
import { calibrationOf, NOT_CALIBRATED, type HeldOut } from "./calibration.ts";
import { createBackbone } from "../backbones/registry.ts";
import { Detector, type DetectorConfig, type Inspection } from "./detector.ts";
import type { Checkpoint } from "../backbones/efficientnet/checkpoint.ts";
import type { NetworkPadding } from "../backbones/efficientnet/efficientnet.ts";
import { FeatureStore, type Spill } from "./feature_store.ts";
import { gradConfig, isJoined, type GradConfig, type GradOptions } from "../methods/grad/config.ts";
import { stagesOf, type AnomalySource, type FeatureSource, type Stage } from "../methods/grad/fit.ts";
import { Grad } from "../methods/grad/model.ts";
import { GradTraining, stepsOf, type FitStep } from "../methods/grad/training.ts";
import { anomalyCells, HINGES, HingeStatistics, type HingeJoins } from "../methods/grad/hinges.ts";
import { rawFeatures, standardiserOf, type FeatureExtractor } from "./features.ts";
import type { PictureRegion } from "./region.ts";
import { savedStateOf, type SavedState } from "./training_state.ts";
import { defaultBatch, defaultDecoder, defaultRecompute, featureDType } from "./training_defaults.ts";
import { requireFinite, TrainingSet } from "./training_set.ts";

/** A good image to learn from. */
export interface TrainingImage {
  /** For errors: its file, say. Default: its number and class. */
  readonly name?: string;
  /** What it shows: each class has a threshold of its own. */
  readonly className: string;
  /** The image, or what the backbone made of it before: cells x cells x channels. */
  readonly image: DecodedImage | Float32Array;
  /** The part of the picture that counts; null, or nothing, where all does. Features are of it already. */
  readonly region?: PictureRegion | null;
}

/** What is trained, and how; each option has a default. */
export interface TrainingOptions {
  /** Default "embedded". */
  readonly backbone?: BackboneName;
  /** Weights of the backbone, where it is an EfficientNet. */
  readonly checkpoint?: Checkpoint | null;
  /** An EfficientNet's padding. Default "same". */
  readonly padding?: NetworkPadding | null;
  /** How photographs fill the square. Default "stretch". */
  readonly fit?: Fit;
  /** The model: what the paper leaves open, and more. By default the decoder is "tiny" on software adapters, else "mobile". */
  readonly grad?: GradOptions;
  /** Side of the square that images are resized to, pixels. Default 224. */
  readonly inputSize?: number;
  /** Of the first stage, which teaches the abnormal grid pasted blocks. Default 10, and at least `leastAbnormal` steps. */
  readonly epochsAbnormal?: number;
  /** Of the second stage, which teaches to reconstruct. Default 50, and at least `leastNormal` steps. */
  readonly epochsNormal?: number;
  /** Of the third, which teaches the residual's hinge pasted blocks, where there is one. Default 10, and at least `leastResidual` steps. */
  readonly epochsResidual?: number;
  /** Steps of the first stage, at least, for small sets. Default 50; 300 where the hinges join the map (`form`). */
  readonly leastAbnormal?: number;
  /** Of the second. Default 500. */
  readonly leastNormal?: number;
  /** Of the third. Default 120. */
  readonly leastResidual?: number;
  /**
   * Shares of hits, among marked positions and among others, beyond which the first stage and the third end early; 1: they never do.
   * Default 0.99; 1 where the hinges join the map (`form`).
   */
  readonly enoughHits?: number;
  /** Images a step. Default: 8 for the decoder "tiny", else 16. */
  readonly batch?: number;
  /** Of everything random. Default 0. */
  readonly seed?: number;
  /**
   * Real anomalies with masks, for the first stage and the third. They are read once, after the good images, and only their features are kept.
   * Default: none, and blocks are pasted into good images' features instead.
   */
  readonly anomalies?: AsyncIterable<AnomalousImage> | null;
  /** Of those stages' images, the share that are real anomalies, in (0, 1]; at 1 no blocks are pasted. Default 0.5. */
  readonly anomalyShare?: number;
  /**
   * Share of good images that may be called defective: it sets the threshold. A class with too few images for it gets
   * the least share that they support (`supportedRate`). Default 0.01.
   */
  readonly falseReject?: number;
  /**
   * A class of fewer than ten images has none to hold out. So many further models are trained first, each without a part of
   * them, to score that part for the threshold; 0: the threshold comes from images that were trained on. Default 3.
   */
  readonly folds?: number;
  /** Device memory for the training set's features, bytes; beyond it they go to `spill`, if there is one. Default 1 GiB. */
  readonly featureBudget?: number;
  readonly spill?: Spill | null;
  /**
   * Whether blocks of the decoders are computed a second time for their gradients, instead of keeping all that they make: to the same bits,
   * in a fraction of the memory. Default: not for the decoder "tiny".
   */
  readonly recompute?: boolean;
}

type Settings = Required<TrainingOptions>;

/** A step of a training, and where that leaves it. */
export interface TrainingStep extends FitStep {
  /** Steps taken in all, of all stages and models. */
  readonly taken: number;
  /** 1 for the first of the models that are trained; the last is the detector's. */
  readonly run: number;
  readonly runs: number;
  /** At the pace so far; without what the first stage may save by ending early. */
  readonly secondsLeft: number;
}

interface Sample {
  readonly className: string;
  /** Of its features in the store. */
  readonly index: number;
}

/** A real anomaly: where its features are in the store, and which of the map's cells it covers. */
interface Anomaly {
  readonly index: number;
  readonly mask: Float32Array;
}

/** One model's training set, and the images that it judges afterwards. */
interface Run {
  readonly training: readonly Sample[];
  readonly heldOut: readonly Sample[];
}

/** Share of good images that may be called defective, unless another is asked for. */
export const DEFAULT_FALSE_REJECT = 0.01;

const FORMAT = "bigrid-training";
const DEFAULT_BUDGET = 2 ** 30;
const HELD_OUT = 5; // every fifth good image calibrates instead of training
const LEAST_TO_SPLIT = 10; // images of a class
const INITIAL_STREAM = 0;
const MOST_WHOLE = 2 ** 32 - 1; // of whole numbers among the options
const EXTREME = 1000; // times what is of use, in any of the options that it is held against

/**
 * The training of a detector: `begin` reads the images, `fit` takes the steps, `finish` makes the detector. Between two
 * steps it can be left, saved, and later gone on with, to the same bits as without a pause.
 *
 * ```ts
 * const training = await Training.begin(device, images, { seed: 1 });
 * for await (const { stage, epoch, loss, secondsLeft } of training.fit()) console.log(stage, epoch, loss, secondsLeft);
 * const detector = await training.finish();
 * ```
 */
export class Training {
  readonly #device: Device;
  readonly #settings: Settings;
  readonly #backbone: Backbone;
  readonly #extractor: FeatureExtractor;
  readonly #store: FeatureStore;
  readonly #regions: boolean;
  readonly #samples: readonly Sample[];
  readonly #anomalies: readonly Anomaly[];
  readonly #set: TrainingSet;
  readonly #means: readonly number[];
  readonly #variance: number;
  readonly #deviations: Tensor;
  readonly #runs: readonly Run[];
  readonly #heldOut: HeldOut[] = [];
  readonly #pace = new Map<Stage, { seconds: number; steps: number }>();
  #hinges = new HingeStatistics();
  #run = 0;
  #taken = 0;
  #model: Grad;
  #fit: GradTraining;

  private constructor(
    device: Device,
    settings: Settings,
    backbone: Backbone,
    store: FeatureStore,
    regions: boolean,
    samples: readonly Sample[],
    anomalies: readonly Anomaly[],
    set: TrainingSet,
  ) {
    const { statistics } = set;
    const { extractor, variance, deviations } = standardiserOf(device, backbone, settings.fit, statistics);
    this.#device = device;
    this.#settings = settings;
    this.#backbone = backbone;
    this.#extractor = extractor;
    this.#store = store;
    this.#regions = regions;
    this.#samples = samples;
    this.#anomalies = anomalies;
    this.#set = set;
    this.#means = [...statistics.means];
    this.#variance = variance;
    this.#deviations = deviations;
    this.#runs = runsOf(samples, settings.folds);
    [this.#model, this.#fit] = this.#begun(Weights.drawn(device));
  }

  /**
   * Reads images, once, in order; only their features are kept.
   *
   * @param images good images of one class or several
   * @param onImage called after each, with their number so far
   * @throws InputError if there are fewer than two, all of a class are the same or show nothing, features hold NaN or
   * infinity, or weights are missing or do not fit; OptionError for an option unknown or out of range; ShapeError for
   * features of another length
   */
  static async begin(
    device: Device,
    images: AsyncIterable<TrainingImage>,
    options: TrainingOptions = {},
    onImage: (count: number) => void = () => undefined,
  ): Promise<Training> {
    const settings = settingsOf(device, options);
    const backbone = await createBackbone(device, settings.backbone, settings);
    const { cells, channels } = backbone;
    gradConfig({ height: cells, width: cells, channels, variance: 1 }, settings.grad); // what it refuses, before any image is read
    const { featureBudget: budget, spill } = settings;
    const store = new FeatureStore(device, { dtype: featureDType(device, backbone.standardise), budget, spill });
    const set = new TrainingSet(channels);
    const samples: Sample[] = [];
    let regions = false;
    for await (const { name, className, image, region } of images) {
      regions ||= Boolean(region);
      const featuresOf = (picture: DecodedImage): Tensor =>
        rawFeatures(device, backbone, settings.fit, [region?.shown(picture) ?? picture]);
      const features = image instanceof Float32Array ? fromArray(device, [1, cells, cells, channels], image) : featuresOf(image);
      set.add(await toArray(features), className, name ?? `image ${samples.length + 1}, of class ${className},`);
      samples.push({ className, index: await store.add(features) });
      release(features);
      onImage(samples.length);
    }
    if (samples.length < 2) {
      throw new InputError(`training needs at least two good images, got ${samples.length}; with ten or more of a class, some set its threshold`);
    }
    set.requireVariety();
    const anomalies: Anomaly[] = [];
    for await (const anomalous of settings.anomalies ?? []) {
      const mask = markedCells(anomalous, settings.fit, settings.inputSize, cells);
      const features = rawFeatures(device, backbone, settings.fit, [anomalous.image]);
      requireFinite(await toArray(features), anomalous.name);
      anomalies.push({ index: await store.add(features), mask });
      release(features);
    }
    if (settings.anomalies && anomalies.length === 0) throw new InputError("there are no anomalous images with masks to learn from");
    return new Training(device, settings, backbone, store, regions, samples, anomalies, set);
  }

  /** Steps taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** How many good images of each class set its threshold. */
  get calibrating(): ReadonlyMap<string, number> {
    const heldOut = this.#runs.flatMap((run) => run.heldOut);
    const counts = new Map<string, number>();
    for (const { className } of heldOut.length > 0 ? heldOut : this.#samples) counts.set(className, (counts.get(className) ?? 0) + 1);
    return counts;
  }

  /** What calibrates the detector: good images that were not trained on, judged; complete after `finish`. */
  get heldOut(): readonly HeldOut[] {
    return this.#heldOut;
  }

  /**
   * Takes steps until the end, or until nobody asks for more; asked again, it goes on.
   * @throws DivergedError where a loss that was read is NaN or infinite, with the step and a tensor that is
   */
  async *fit(): AsyncGenerator<TrainingStep, void> {
    for (;;) {
      let before = performance.now();
      for await (const step of this.#steps()) {
        const pace = this.#pace.get(step.stage) ?? { seconds: 0, steps: 0 };
        this.#pace.set(step.stage, { seconds: pace.seconds + (performance.now() - before) / 1000, steps: pace.steps + 1 });
        yield { ...step, taken: ++this.#taken, run: this.#run + 1, runs: this.#runs.length, secondsLeft: this.#secondsLeft() };
        before = performance.now();
      }
      if (this.#run === this.#runs.length - 1) return;
      await this.#judge(this.#runs[this.#run]!.heldOut);
      this.#model.weights.release();
      this.#run++;
      [this.#model, this.#fit] = this.#begun(Weights.drawn(this.#device));
    }
  }

  /** The steps of this run's model; an error says what is known of its cause. */
  async *#steps(): AsyncGenerator<FitStep, void> {
    try {
      yield* this.#fit.fit();
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      throw new DivergedError(`${error.message}; ${this.#remedy()}`, { cause: error });
    }
  }

  /** What to do after the training diverged: about its cause, where that is known. */
  #remedy(): string {
    const extreme = extremeOption(this.#model.config);
    return this.#set.problem ?? (extreme && `${extreme} is far from what is of use: choose less`) ?? "begin anew with another seed, or more images a step";
  }

  /**
   * The detector, as far as it was trained; nothing is left to this training afterwards.
   * @param onImage called after each image that calibrates it
   * @throws DivergedError where scores of good images are not finite, so that there is no threshold
   */
  async finish(onImage: (done: number, total: number) => void = () => undefined): Promise<Detector> {
    const { heldOut, training } = this.#runs[this.#run]!;
    const hinges = await this.#judge(heldOut.length + this.#heldOut.length > 0 ? heldOut : training, onImage);
    const calibration = calibrationOf(this.#heldOut, this.#settings.falseReject);
    this.#fit.release();
    this.#store.release();
    release(this.#deviations);
    return this.#detector({ ...this.#config(hinges), calibration });
  }

  /**
   * Everything that going on later needs, but for the images: a safetensors file.
   * @throws DivergedError where a tensor holds NaN or infinity: there is nothing to go on from
   */
  async save(): Promise<Uint8Array> {
    const tensors = new Map<string, StoredTensor>();
    const put = (name: string, shape: readonly number[], values: Float32Array): void => {
      const wrong = nonFinite(values);
      if (wrong) throw new DivergedError(`training diverged: after ${this.#taken} steps tensor ${name} holds ${wrong}; ${this.#remedy()}`);
      tensors.set(name, { dtype: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
    };
    const { position } = this.#fit;
    const optimizer = await this.#fit.optimizerState();
    optimizer?.moments.forEach((values, i) => put(`optimizer.${i}`, [values.length], values));
    for (const [name, tensor] of this.#model.weights.all()) put(name, tensor.shape, await toArray(tensor));
    const state: SavedState = {
      ...this.#identity(),
      run: this.#run,
      taken: this.#taken,
      position,
      heldOut: this.#heldOut,
      hinges: this.#hinges.state,
      optimizerSteps: optimizer?.steps ?? null,
    };
    return encodeSafetensors({ tensors, metadata: { format: FORMAT, state: JSON.stringify(state) } });
  }

  /**
   * Goes on from a saved training: the same options and images, from there on the same bits.
   * @param name the file's name, for errors
   * @throws InputError if it is no saved training, or one with other options or images; nothing has changed then
   */
  resume(saved: Uint8Array, name: string): void {
    const { tensors, metadata } = decodeSafetensors(saved, name);
    if (metadata["format"] !== FORMAT) throw new InputError(`${name} is no saved training: its metadata has no format ${FORMAT}`);
    const state = savedStateOf(metadata["state"] ?? "", name);
    requireSame(this.#identity(), state, name);
    const stored = float32Tensors(tensors, name);
    const moments = [...stored.keys()].filter((key) => key.startsWith("optimizer.")).length;
    const optimizer: OptimizerState | null = state.optimizerSteps && {
      steps: state.optimizerSteps,
      moments: Array.from({ length: moments }, (_, i) => stored.get(`optimizer.${i}`)?.data ?? new Float32Array()),
    };
    if (!(state.run < this.#runs.length)) throw new InputError(`${name} is in run ${state.run + 1} of ${this.#runs.length}: it is damaged`);
    const weights = Weights.stored(this.#device, stored, name);
    const [model, fit] = this.#restored(weights, state, optimizer, name);
    this.#fit.release();
    this.#model.weights.release();
    [this.#model, this.#fit, this.#run, this.#taken] = [model, fit, state.run, state.taken];
    this.#heldOut.splice(0, Infinity, ...state.heldOut);
    this.#hinges = new HingeStatistics(state.hinges);
  }

  /** @throws InputError where a state does not fit the training; nothing is left of `weights` then */
  #restored(weights: Weights, { run, position }: SavedState, optimizer: OptimizerState | null, name: string): [Grad, GradTraining] {
    try {
      const [model, fit] = this.#begun(weights, run);
      fit.resume(position, optimizer);
      return [model, fit];
    } catch (error) {
      weights.release();
      throw error instanceof ShapeError ? new InputError(`${name} is damaged: ${error.message}`, { cause: error }) : error;
    }
  }

  /** Gives up: storage goes back. */
  release(): void {
    this.#fit.release();
    this.#store.release();
    this.#model.weights.release();
    release(this.#deviations);
    this.#extractor.release();
  }

  #begun(weights: Weights, run = this.#run): [Grad, GradTraining] {
    const { grad, seed, recompute } = this.#settings;
    const { cells, channels } = this.#backbone;
    const config = gradConfig({ height: cells, width: cells, channels, variance: this.#variance }, grad);
    const model = new Grad(weights, config, new RandomStream(seed, INITIAL_STREAM), recompute);
    const { training } = this.#runs[run]!;
    const source: FeatureSource = {
      count: training.length,
      batch: (indices) => this.#features(indices.map((i) => training[i]!)),
      anomalies: this.#anomalies.length === 0 ? null : this.#anomalySource(),
    };
    return [model, new GradTraining(model, source, { ...this.#settings, deviations: this.#deviations })];
  }

  #anomalySource(): AnomalySource {
    const { cells } = this.#backbone;
    return {
      count: this.#anomalies.length,
      share: this.#settings.anomalyShare,
      batch: async (indices) => {
        const chosen = indices.map((i) => this.#anomalies[i]!);
        const features = await this.#features(chosen);
        const masks = new Float32Array(chosen.length * cells * cells);
        chosen.forEach(({ mask }, i) => masks.set(mask, i * mask.length));
        return { features, mask: fromArray(this.#device, [chosen.length, cells, cells], masks) };
      },
    };
  }

  async #features(samples: readonly Pick<Sample, "index">[]): Promise<Tensor> {
    const raw = await this.#store.batch(samples.map(({ index }) => index));
    using scope = this.#device.scope();
    const features = scope.keep(this.#extractor.standardise(raw));
    release(raw);
    return features;
  }

  async #judge(samples: readonly Sample[], onImage: (done: number, total: number) => void = () => undefined): Promise<HingeJoins> {
    const hinges = await this.#hingeJoins(samples);
    const detector = this.#detector(this.#config(hinges));
    for (const [i, sample] of samples.entries()) {
      const features = await this.#store.batch([sample.index]);
      const inspections = detector.inspectFeatures(features);
      release(features);
      const [{ score, peak }] = (await inspections.catch((cause: Error) => {
        if (!(cause instanceof InputError)) throw cause;
        throw new DivergedError(`training diverged: good image ${sample.index + 1}, of class ${sample.className}: ${cause.message}`, { cause });
      })) as [Inspection];
      this.#heldOut.push({ className: sample.className, score, peak });
      onImage(i + 1, samples.length);
    }
    return hinges;
  }

  /**
   * How the hinges' scores join the errors: by their spread over good images that this model was not trained on, or where it saw all, over
   * those that the models of the folds before it did not. Where there are none of either they do not join: a hinge is too sure of images
   * that it knows.
   */
  async #hingeJoins(samples: readonly Sample[]): Promise<HingeJoins> {
    const { config } = this.#model;
    if (config.hingeWeight === 0 && config.residualWeight === 0) return {};
    const own = new HingeStatistics();
    const { training } = this.#runs[this.#run]!;
    for (const sample of samples.filter((sample) => !training.includes(sample))) {
      const features = await this.#features([sample]);
      const reads = this.#cells(features);
      release(features);
      const [errors, ...scores] = await reads;
      const hinges = Object.fromEntries(HINGES.map((name, i) => [name, scores[i]]));
      for (const statistics of [own, this.#hinges]) statistics.add(errors!, hinges);
    }
    const statistics = own.isEmpty ? this.#hinges : own;
    return statistics.isEmpty ? {} : statistics.joins(config);
  }

  /** The errors of an image's cells and the scores of its hinges. */
  #cells(features: Tensor): Promise<(Float32Array | undefined)[]> {
    using _scope = this.#device.scope();
    const { errors, hinges } = anomalyCells(this.#model, features);
    const read = (tensor: Tensor | undefined): Promise<Float32Array | undefined> => (tensor ? toArray(tensor) : Promise.resolve(undefined));
    return Promise.all([errors, ...HINGES.map((name) => hinges[name])].map(read));
  }

  #config(hinges: HingeJoins): DetectorConfig {
    const { inputSize, fit } = this.#settings;
    return { backbone: this.#backbone.settings, inputSize, fit, regions: this.#regions, grad: this.#model.config, hinges, calibration: NOT_CALIBRATED };
  }

  #detector(config: DetectorConfig): Detector {
    return new Detector(this.#extractor, this.#model, config);
  }

  /** What a saved training must share with the one that goes on with it. */
  #identity(): Pick<SavedState, "settings" | "images" | "means"> {
    const {
      checkpoint: _weights, spill: _spill, featureBudget: _budget, recompute: _memory, grad: _options, anomalies: _read, ...settings
    } = this.#settings;
    const anomalies = this.#anomalies.map(({ mask }) => mask.filter((cell) => cell === 1).length);
    return {
      settings: flat({ ...settings, ...this.#backbone.settings, grad: this.#model.config, anomalies }),
      images: this.#samples.map(({ className }) => className),
      means: this.#means,
    };
  }

  #secondsLeft(): number {
    const paceOf = (stage: Stage): number | null => {
      const pace = this.#pace.get(stage);
      return pace ? pace.seconds / pace.steps : null;
    };
    const known = paceOf("normal") ?? paceOf("abnormal")!;
    let seconds = 0;
    this.#runs.slice(this.#run).forEach(({ training }, i) => {
      const stages = stagesOf(this.#model.config);
      const position = i === 0 ? this.#fit.position : { stage: stages[0]!, step: 0 };
      if (!position) return;
      for (const stage of stages.slice(stages.indexOf(position.stage))) {
        const done = position.stage === stage ? position.step : 0;
        seconds += (stepsOf(stage, training.length, this.#settings).steps - done) * (paceOf(stage) ?? known);
      }
    });
    return seconds;
  }
}

/** Images a step. */
export const batchOf = (device: Device, { batch, grad }: TrainingOptions): number =>
  batch ?? defaultBatch(grad?.decoder ?? defaultDecoder(device));

function settingsOf(device: Device, options: TrainingOptions): Settings {
  const grad = { decoder: defaultDecoder(device), ...options.grad };
  const settings = readOptions<Settings>("Training.begin", options, {
    backbone: "embedded", checkpoint: null, padding: null, fit: "stretch", grad, inputSize: 224,
    epochsAbnormal: 10, epochsNormal: 50, epochsResidual: 10,
    ...(isJoined(grad) ? { leastAbnormal: 300, enoughHits: 1 } : { leastAbnormal: 50, enoughHits: 0.99 }), leastNormal: 500, leastResidual: 120,
    batch: defaultBatch(grad.decoder), seed: 0, anomalies: null, anomalyShare: 0.5, falseReject: DEFAULT_FALSE_REJECT, folds: 3,
    featureBudget: DEFAULT_BUDGET, spill: null, recompute: defaultRecompute(grad.decoder),
  });
  const whole = [
    ["epochsAbnormal", 0], ["epochsNormal", 0], ["epochsResidual", 0], ["leastAbnormal", 1], ["leastNormal", 1], ["leastResidual", 1],
    ["batch", 1], ["seed", 0], ["folds", 0],
  ] as const;
  for (const [name, least] of whole) requireWhole("training", name, least, [settings[name]], MOST_WHOLE);
  choiceOf("training", "fit", FITS, settings.fit);
  if (!(settings.featureBudget >= 0)) throw new OptionError(`training: expected featureBudget of at least 0 bytes, got ${settings.featureBudget}`);
  if (settings.folds === 1) throw new OptionError("training: expected folds to be 0 or at least 2, got 1: a fold is trained on the others");
  const { falseReject, anomalies, anomalyShare, enoughHits } = settings;
  if (!(enoughHits >= 0 && enoughHits <= 1)) throw new OptionError(`training: expected enoughHits from 0 to 1, got ${enoughHits}`);
  if (!(anomalyShare > 0 && anomalyShare <= 1)) throw new OptionError(`training: expected anomalyShare above 0 and at most 1, got ${anomalyShare}`);
  if (anomalies && grad.branches === "normal") throw new OptionError("training: expected an abnormal branch to learn anomalies, got branches normal");
  if (!(falseReject > 0 && falseReject <= 0.5)) throw new OptionError(`training: expected falseReject above 0 and at most 0.5, got ${falseReject}`);
  return { ...settings, grad };
}

/** The first option of a model that is extreme, with its value; null if none is. */
function extremeOption({ hinge, abnormalWeight, lambda, hingeWeight, residualWeight, paste: { intensity } }: GradConfig): string | null {
  const numbers = { hinge, abnormalWeight, lambda, hingeWeight, residualWeight, "paste.intensity": Math.max(...intensity.map(Math.abs)) };
  const extreme = Object.entries(numbers).find(([, value]) => Math.abs(value) > EXTREME);
  return extreme ? extreme.join(" ") : null;
}

/**
 * Which models are trained on what. The last is the detector's: of a class with many images, every fifth is held out of it.
 * A class with few keeps all of them for it; before, models without each part of them are trained to judge that part.
 */
function runsOf(samples: readonly Sample[], folds: number): Run[] {
  const byClass = new Map<string, Sample[]>();
  for (const sample of samples) byClass.set(sample.className, [...(byClass.get(sample.className) ?? []), sample]);
  const nth = new Map([...byClass.values()].flatMap((members) => members.map((sample, i) => [sample, i] as const)));
  const isFew = ({ className }: Sample): boolean => byClass.get(className)!.length < LEAST_TO_SPLIT;
  const few = samples.filter(isFew);
  const calibrates = (sample: Sample): boolean => !isFew(sample) && nth.get(sample)! % HELD_OUT === HELD_OUT - 1;
  const last: Run = { training: samples.filter((sample) => !calibrates(sample)), heldOut: samples.filter(calibrates) };
  if (few.length === 0) return [last];
  if (folds === 0) return [{ ...last, heldOut: [...last.heldOut, ...few] }];
  const parts = Math.min(folds, LEAST_TO_SPLIT - 1); // no class with few has more images
  const runs = Array.from({ length: parts }, (_, fold): Run => {
    const heldOut = few.filter((sample) => nth.get(sample)! % parts === fold);
    return { training: last.training.filter((sample) => !heldOut.includes(sample)), heldOut };
  });
  return [...runs.filter(({ heldOut, training }) => heldOut.length > 0 && training.length > 0), last];
}

/** Settings within settings under one name, such as grad.paste.walk. */
function flat(settings: object, within = ""): Record<string, unknown> {
  const isGroup = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]: [string, unknown]) =>
      isGroup(value) ? Object.entries(flat(value, `${within}${name}.`)) : [[`${within}${name}`, value]]),
  );
}

function requireSame(own: Pick<SavedState, "settings" | "images" | "means">, saved: SavedState, name: string): void {
  const shown = (value: unknown): string => JSON.stringify(value) ?? "nothing";
  for (const key of new Set([...Object.keys(own.settings), ...Object.keys(saved.settings)])) {
    const [now, before] = [shown(own.settings[key]), shown(saved.settings[key])];
    if (now !== before) throw new InputError(`${name} was trained with ${key} ${before}, not ${now}: resume with the same options, or begin anew`);
  }
  if (shown(own.images) !== shown(saved.images) || shown(own.means) !== shown(saved.means)) {
    throw new InputError(`${name} was trained on other images (${saved.images.length} then, ${own.images.length} now, or changed ones): begin anew`);
  }
}
