import { finiteTensor, type StoredTensor } from "../io/safetensors.ts";
import type { Fit, FitState, Json } from "../methods/method.ts";
import { Weights } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import { dispose } from "../runtime/disposal.ts";
import { DivergedError, InputError, ShapeError } from "../runtime/errors.ts";
import { resolveOptions } from "../runtime/option_table.ts";
import { toArray, type Shape, type Tensor } from "../tensor/tensor.ts";
import { calibrationOf, recalibrated, type Calibration, type HeldOut } from "./calibration.ts";
import {
  Continuation,
  CONTINUATION_OPTIONS,
  withDecided,
  type AddedImage,
  type ContinuationOptions,
  type EarlierTraining,
  type ImageRecord,
} from "./continuation.ts";
import { Course } from "./course.ts";
import { Detector, type DetectorConfig } from "./detector.ts";
import type { TrainingSample } from "./folds.ts";
import { Material, type Suspect } from "./material.ts";
import { Pace } from "./pace.ts";
import { SampleScorer } from "./sample_scorer.ts";
import { resolveTraining, type TrainingOptions, type TrainingSettings, type TrainingStep } from "./training_options.ts";
import { decodeTrainingState, encodeTrainingState, requireSame, type SavedState } from "./training_state.ts";
import type { TrainingImage } from "./views.ts";

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
  readonly #settings: TrainingSettings;
  readonly #material: Material;
  readonly #scorer: SampleScorer;
  readonly #course: Course;
  /** The calibration of the detector that training goes on from. */
  readonly #before: Calibration | null;
  readonly #added: Map<TrainingSample, Omit<AddedImage, "heldOut">>;
  readonly #heldOut: HeldOut[];
  readonly #pace = new Pace();
  #carried: Json = null;
  #nth = 0; // of the fits
  #taken = 0;
  #fit: Fit;

  private constructor(
    device: Device,
    settings: TrainingSettings,
    material: Material,
    scorer: SampleScorer,
    continuation: Continuation | null = null,
    before: ReadonlyMap<TrainingSample, HeldOut> = new Map(),
  ) {
    [this.#device, this.#settings, this.#material, this.#scorer] = [device, settings, material, scorer];
    this.#course = new Course(device, settings, material, continuation, before);
    this.#before = continuation?.config.calibration ?? null;
    this.#added = new Map(
      [...before].map(([sample, { className, score }]) => [
        sample,
        { name: sample.name, className, before: score, after: score },
      ]),
    );
    this.#heldOut = [...this.#course.known];
    this.#fit = this.#course.begin(0);
  }

  /**
   * Reads images, once, in order; only their features are kept.
   *
   * @param images good images of one class or several
   * @param options those of `TRAINING_OPTIONS` and of the method; `signal` and `onProgress` serve all of the training
   * @throws InputError if there are fewer than two, all of a class are the same or show nothing, features hold NaN or
   * infinity, or weights are missing or do not fit; OptionError for an option unknown or out of range; ShapeError for
   * features of another length
   */
  static async begin(
    device: Device,
    images: AsyncIterable<TrainingImage>,
    options: TrainingOptions = {},
  ): Promise<Training> {
    const settings = await resolveTraining(options);
    const material = await Material.read(device, settings, images);
    return material.orRelease(() => new Training(device, settings, material, new SampleScorer(settings, material)));
  }

  /**
   * Goes on from a detector with further good images, such as false alarms that were looked at: by a share of a new
   * training's steps or, for a memory bank, by rows of these images alone. Thresholds are set anew, by the images that
   * set them before, and by added ones as models score them that were not fitted to them.
   *
   * @param earlier the detector, and the images of its training
   * @param added good images of classes that the detector knows, under names that the record does not have
   * @param options those of the earlier training, and `share`; what the detector decides (method, backbone, stages,
   * inputSize, resize, tiles) may be left out, `dropSuspects` has no effect
   * @throws as `begin`; OptionError for options that contradict the detector or a class that it does not know;
   * InputError where nothing is added, or none of the earlier images is there
   */
  static async from(
    earlier: EarlierTraining,
    added: AsyncIterable<TrainingImage>,
    { share: told, ...options }: ContinuationOptions = {},
  ): Promise<Training> {
    const { device, config } = earlier.detector;
    const { share } = resolveOptions("training", CONTINUATION_OPTIONS, { share: told });
    const settings = await resolveTraining(withDecided(config, options));
    const continuation = await Continuation.from(earlier, settings, share);
    const material = await Material.read(device, settings, continuation.images(added), continuation);
    return material.orRelease(async () => {
      const scorer = new SampleScorer(settings, material);
      continuation.requireRegions(material.regions);
      const before = await continuation.scoresBefore(device, scorer, material);
      return new Training(device, settings, material, scorer, continuation, before);
    });
  }

  /** Every option with its value. */
  get settings(): TrainingSettings {
    return this.#settings;
  }

  /** Steps taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** The number of good images that set each class's threshold. */
  get calibrating(): ReadonlyMap<string, number> {
    return this.#course.calibrating;
  }

  /** The good images that `dropSuspects` has left out, the least like the others first; each class's together. */
  get suspects(): readonly Suspect[] {
    return this.#material.suspects;
  }

  /** Sentences for people about what is known to do badly with these options; mostly none. */
  get remarks(): readonly string[] {
    return [...this.#settings.learner.remarks(this.#course.modelConfig), ...this.#material.remarks];
  }

  /** Scores of good images that were not trained on, which calibrate the detector; complete after `finish`. */
  get heldOut(): readonly HeldOut[] {
    return this.#heldOut;
  }

  /** The images and their parts in the training, from which another goes on (`from`); complete after `finish`. */
  get record(): readonly ImageRecord[] {
    return this.#course.record(this.#heldOut);
  }

  /** The images that were added to those of a detector, and how they score; complete after `finish`. */
  get added(): readonly AddedImage[] {
    const scored = this.#course.scored(this.#heldOut);
    return [...this.#added].map(([sample, one]) => ({ ...one, heldOut: scored.get(sample)?.score ?? null }));
  }

  /**
   * Takes steps until the end. Leave the loop to pause; call `fit` again to continue.
   * @throws DivergedError where a loss that was read is NaN or infinite, with the step and a tensor that is; the reason
   * of the signal that ended it
   */
  async *fit(): AsyncGenerator<TrainingStep, void> {
    const { signal, onProgress } = this.#settings;
    signal?.throwIfAborted();
    for (;;) {
      let before = performance.now();
      try {
        for await (const step of this.#fit.steps()) {
          this.#pace.add(step.stage, (performance.now() - before) / 1000);
          const where = {
            taken: ++this.#taken,
            model: this.#nth + 1,
            models: this.#course.fits.length,
            secondsLeft: this.#secondsLeft(),
          };
          const taken = { ...step, ...where };
          onProgress({ phase: "training", ...taken });
          yield taken;
          signal?.throwIfAborted();
          before = performance.now();
        }
      } catch (error) {
        if (!(error instanceof DivergedError)) throw error;
        throw new DivergedError(`${error.message}; ${this.#scorer.remedy}`, { cause: error });
      }
      const { fits } = this.#course;
      if (this.#nth === fits.length - 1) return;
      await this.#scoreHeldOut(fits[this.#nth]!.heldOut, []);
      this.#fit.model.weights.release();
      this.#fit = this.#course.begin(++this.#nth);
    }
  }

  /**
   * Calibrates and returns the detector, even if training has not ended; the training cannot be used afterwards.
   * @throws DivergedError where scores of good images are not finite, so that there is no threshold; OptionError where
   * those of a class are all 0; the reason of the signal that ended it
   */
  async finish(): Promise<Detector> {
    const { heldOut, training } = this.#course.fits[this.#nth]!;
    const { falseReject, onProgress } = this.#settings;
    const setting = heldOut.length + this.#heldOut.length > 0 ? heldOut : training;
    const added = [...this.#added.keys()].filter((sample) => !setting.includes(sample));
    const total = setting.length + added.length;
    await this.#scoreHeldOut(setting, added, (done) => onProgress({ phase: "calibration", done, total }));
    const calibration = this.#before
      ? recalibrated(this.#before, this.#heldOut, falseReject)
      : calibrationOf(this.#heldOut, falseReject);
    this.#fit.release();
    this.#material.releaseFeatures();
    return Detector.assemble(this.#material.extractor, this.#fit.model, this.#config(calibration));
  }

  /**
   * Saves the training's state as a safetensors file. `resume` needs it and the images.
   * @throws DivergedError where a tensor holds NaN or infinity
   */
  async save(): Promise<Uint8Array> {
    const stored = (name: string, values: Float32Array, shape?: Shape): StoredTensor =>
      finiteTensor(
        values,
        (problem) => {
          throw new DivergedError(
            `training diverged: after ${this.#taken} steps tensor ${name} holds ${problem}; ${this.#scorer.remedy}`,
          );
        },
        shape,
      );
    const { json: fit, tensors } = await this.#fit.state();
    const ofFit = new Map([...tensors].map(([name, values]) => [name, stored(name, values)]));
    const weights = new Map<string, StoredTensor>();
    for (const [name, tensor] of this.#fit.model.weights.all())
      weights.set(name, stored(name, await toArray(tensor), tensor.shape));
    const state = {
      ...this.#course.identity,
      run: this.#nth,
      taken: this.#taken,
      heldOut: this.#heldOut,
      fit,
      carried: this.#carried,
    };
    return encodeTrainingState(state, ofFit, weights);
  }

  /**
   * Continues a saved training with the same options and images, to the same bits.
   * @param name the file's name, for errors
   * @throws InputError if it is no saved training, or has other options or images; this training is unchanged then
   */
  resume(saved: Uint8Array, name: string): void {
    const { state, fit: stored, weights } = decodeTrainingState(saved, name);
    requireSame(this.#course.identity, state, name);
    const { length } = this.#course.fits;
    if (!(state.run < length)) throw new InputError(`${name} is at model ${state.run + 1} of ${length}: it is damaged`);
    const fit = this.#restored(Weights.stored(this.#device, weights, name), state, stored, name);
    this.#fit.release();
    this.#fit.model.weights.release();
    [this.#fit, this.#nth, this.#taken, this.#carried] = [fit, state.run, state.taken, state.carried];
    this.#heldOut.splice(0, Infinity, ...state.heldOut);
  }

  /** Releases all storage; the training cannot be used afterwards. */
  release(): void {
    this.#fit.release();
    this.#fit.model.weights.release();
    this.#material.release();
  }

  /** The same as `release`, for `using`. */
  [dispose](): void {
    this.release();
  }

  /** @throws InputError where a state does not fit the training; `weights` are released then */
  #restored(weights: Weights, { run: nth, carried }: SavedState, state: FitState, name: string): Fit {
    try {
      const fit = this.#course.begin(nth, weights);
      fit.restore(state);
      fit.model.requireCarried?.(carried);
      return fit;
    } catch (error) {
      weights.release();
      throw error instanceof ShapeError
        ? new InputError(`${name} is damaged: ${error.message}`, { cause: error })
        : error;
    }
  }

  /**
   * Adjusts this fit's model on those of the images that it was not fitted to, then scores all of them, and added ones
   * that set no threshold.
   */
  async #scoreHeldOut(
    samples: readonly TrainingSample[],
    added: readonly TrainingSample[],
    onImage?: (done: number) => void,
  ): Promise<void> {
    const { model } = this.#fit;
    const training = new Set(this.#course.fits[this.#nth]!.training);
    const material = this.#material;
    async function* unseen(): AsyncGenerator<Tensor> {
      for (const sample of samples)
        if (!training.has(sample)) for (const { index } of sample.views) yield await material.features([index]);
    }
    const carried = model.adjust ? await model.adjust(unseen(), this.#carried) : this.#carried;
    model.weights.freeze();
    const scored = await this.#scorer.scores(model, [...samples, ...added], onImage);
    // Kept only when all are scored, so that an interrupted scoring can be repeated.
    this.#heldOut.push(...samples.map((sample) => this.#course.marked(sample, scored.get(sample)!)));
    this.#carried = carried;
    for (const [sample, one] of this.#added)
      this.#added.set(sample, { ...one, after: scored.get(sample)?.score ?? one.after });
  }

  #config(calibration: Calibration): DetectorConfig {
    const { input, learner, options } = this.#settings;
    const {
      extractor: { maker },
      regions,
    } = this.#material;
    return {
      method: { name: learner.name, config: this.#fit.model.config },
      backbone: maker.backbone.identity,
      input,
      regions,
      assembly: maker.assembly,
      scoring: learner.scoring(options),
      calibration,
    };
  }

  #secondsLeft(): number {
    return this.#pace.secondsFor([...this.#fit.remaining, ...this.#course.stagesFrom(this.#nth + 1)]);
  }
}
