import { finiteTensor, type StoredTensor } from "../io/safetensors.ts";
import type { Fit, FitState, Json, Model } from "../methods/method.ts";
import { Weights } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import { dispose } from "../runtime/disposal.ts";
import { DivergedError, InputError, ShapeError } from "../runtime/errors.ts";
import { toArray, type Shape, type Tensor } from "../tensor/tensor.ts";
import { calibrationOf, type Calibration, type HeldOut } from "./calibration.ts";
import { Detector, type DetectorConfig } from "./detector.ts";
import { byPhotograph, planFits, type PlannedFit, type TrainingSample } from "./folds.ts";
import { scoreGood } from "./good_scores.ts";
import { Material, type Suspect } from "./material.ts";
import { Pace } from "./pace.ts";
import {
  beyondUse,
  resolveTraining,
  type TrainingOptions,
  type TrainingSettings,
  type TrainingStep,
} from "./training_options.ts";
import {
  decodeTrainingState,
  encodeTrainingState,
  identityOf,
  requireSame,
  type SavedState,
} from "./training_state.ts";
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
  readonly #fits: readonly PlannedFit[];
  readonly #heldOut: HeldOut[] = [];
  readonly #pace = new Pace();
  #carried: Json = null;
  #nth = 0; // of the fits
  #taken = 0;
  #fit: Fit;

  private constructor(device: Device, settings: TrainingSettings, material: Material) {
    [this.#device, this.#settings, this.#material] = [device, settings, material];
    this.#fits = planFits(material.samples, settings.folds);
    try {
      this.#fit = this.#begun(Weights.drawn(device));
    } catch (error) {
      material.release();
      throw error;
    }
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
    return new Training(device, settings, await Material.read(device, settings, images));
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
    const heldOut = this.#fits.flatMap((fit) => fit.heldOut);
    const counts = new Map<string, number>();
    for (const [sample] of byPhotograph(heldOut.length > 0 ? heldOut : this.#material.samples))
      counts.set(sample!.className, (counts.get(sample!.className) ?? 0) + 1);
    return counts;
  }

  /** The good images that `dropSuspects` has left out, the least like the others first; each class's together. */
  get suspects(): readonly Suspect[] {
    return this.#material.suspects;
  }

  /** Sentences for people about what is known to do badly with these options; mostly none. */
  get remarks(): readonly string[] {
    return [...this.#settings.learner.remarks(this.#modelConfig()), ...this.#material.remarks];
  }

  /** Scores of good images that were not trained on, which calibrate the detector; complete after `finish`. */
  get heldOut(): readonly HeldOut[] {
    return this.#heldOut;
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
            models: this.#fits.length,
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
        throw new DivergedError(`${error.message}; ${this.#remedy()}`, { cause: error });
      }
      if (this.#nth === this.#fits.length - 1) return;
      await this.#scoreHeldOut(this.#fits[this.#nth]!.heldOut);
      this.#fit.model.weights.release();
      this.#nth++;
      this.#fit = this.#begun(Weights.drawn(this.#device));
    }
  }

  /** Advice after the training diverged, about the cause if it is known. */
  #remedy(): string {
    const { learner, options } = this.#settings;
    const extreme = beyondUse(learner.options, options);
    return (
      this.#material.set.problem ??
      (extreme && `${extreme} is far outside the useful range: use a smaller value`) ??
      "start again with another seed or a larger batch"
    );
  }

  /**
   * Calibrates and returns the detector, even if training has not ended; the training cannot be used afterwards.
   * @throws DivergedError where scores of good images are not finite, so that there is no threshold; OptionError where
   * those of a class are all 0; the reason of the signal that ended it
   */
  async finish(): Promise<Detector> {
    const { heldOut, training } = this.#fits[this.#nth]!;
    await this.#scoreHeldOut(heldOut.length + this.#heldOut.length > 0 ? heldOut : training, (done, total) =>
      this.#settings.onProgress({ phase: "calibration", done, total }),
    );
    const calibration = calibrationOf(this.#heldOut, this.#settings.falseReject);
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
            `training diverged: after ${this.#taken} steps tensor ${name} holds ${problem}; ${this.#remedy()}`,
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
      ...identityOf(this.#settings, this.#material, this.#modelConfig()),
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
    requireSame(identityOf(this.#settings, this.#material, this.#modelConfig()), state, name);
    if (!(state.run < this.#fits.length))
      throw new InputError(`${name} is at model ${state.run + 1} of ${this.#fits.length}: it is damaged`);
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
      const fit = this.#begun(weights, nth);
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

  #begun(weights: Weights, nth = this.#nth): Fit {
    const { learner, options, seed } = this.#settings;
    const { training } = this.#fits[nth]!;
    try {
      return learner.begin(this.#modelConfig(nth), options, {
        weights,
        features: {
          count: training.length,
          batch: (indices) => this.#material.features(indices.map((i) => training[i]!)),
        },
        anomalies: this.#material.anomalySource(),
        std: this.#material.std,
        seed,
      });
    } catch (error) {
      weights.release();
      throw error;
    }
  }

  /** The configuration of the nth model; by default the detector's. */
  #modelConfig(nth = this.#fits.length - 1): Json {
    const { learner, options } = this.#settings;
    const { extractor, variance } = this.#material;
    const { training } = this.#fits[nth]!;
    return learner.configure({ ...extractor.maker.extents, variance, images: training.length }, options);
  }

  /** Adjusts this fit's model on those of the images that it was not fitted to, then scores all of them. */
  async #scoreHeldOut(
    samples: readonly TrainingSample[],
    onImage: (done: number, total: number) => void = () => undefined,
  ): Promise<void> {
    const { model } = this.#fit;
    const training = new Set(this.#fits[this.#nth]!.training);
    const material = this.#material;
    async function* unseen(): AsyncGenerator<Tensor> {
      for (const sample of samples) if (!training.has(sample)) yield await material.features([sample]);
    }
    const carried = model.adjust ? await model.adjust(unseen(), this.#carried) : this.#carried;
    model.weights.freeze();
    const scored: HeldOut[] = [];
    const photographs = byPhotograph(samples);
    for (const photograph of photographs) {
      this.#settings.signal?.throwIfAborted();
      scored.push(await this.#scored(model, photograph));
      onImage(scored.length, photographs.length);
    }
    // Kept only when all are scored, so that an interrupted scoring can be repeated.
    this.#heldOut.push(...scored);
    this.#carried = carried;
  }

  /** @throws DivergedError where the photograph's score or its map is not finite */
  async #scored(model: Model, samples: readonly TrainingSample[]): Promise<HeldOut> {
    const read = await scoreGood(model, this.#material, this.#settings, samples);
    const { className, photograph } = samples[0]!;
    if ("problem" in read) {
      const image = `good image ${photograph + 1}, of class ${className}`;
      throw new DivergedError(`training diverged: ${image}: ${read.problem}; ${this.#remedy()}`);
    }
    return { className, score: read.score, peak: read.peak };
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

  #plan(nth: number) {
    const { learner, options } = this.#settings;
    return learner.plan(this.#modelConfig(nth), options, this.#fits[nth]!.training.length);
  }

  #secondsLeft(): number {
    const later = this.#fits.slice(this.#nth + 1).flatMap((_, i) => this.#plan(this.#nth + 1 + i));
    return this.#pace.secondsFor([...this.#fit.remaining, ...later]);
  }
}
