import type { Continuation as ContinuedFit, Fit, Json, StagePlan } from "../methods/method.ts";
import { Weights } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import type { HeldOut } from "./calibration.ts";
import type { Continuation, ContinuedPlan, ImageRecord } from "./continuation.ts";
import { recordOf } from "./continuation.ts";
import { featuresOf, planFits, type PlannedFit, type TrainingSample } from "./folds.ts";
import type { Material } from "./material.ts";
import { identityOf, type TrainingIdentity } from "./training_state.ts";
import type { TrainingSettings } from "./training_options.ts";

/** The models of a training, one after another, and the images that set its threshold. */
export class Course {
  readonly #device: Device;
  readonly #settings: TrainingSettings;
  readonly #material: Material;
  readonly #continuation: Continuation | null;
  readonly #plan: ContinuedPlan;

  /** @param before scores of added images by the detector, in a training that goes on from one */
  constructor(
    device: Device,
    settings: TrainingSettings,
    material: Material,
    continuation: Continuation | null,
    before: ReadonlyMap<TrainingSample, HeldOut>,
  ) {
    [this.#device, this.#settings, this.#material] = [device, settings, material];
    this.#continuation = continuation;
    const { samples } = material;
    const fits = (): ContinuedPlan => ({ fits: planFits(samples, settings.folds), carried: [], given: new Map() });
    this.#plan = continuation?.plan(samples, before) ?? fits();
  }

  /** Marks the scores of added images, in a training that goes on from a detector. */
  marked(sample: TrainingSample, heldOut: HeldOut): HeldOut {
    return this.#continuation?.marked(sample, heldOut) ?? heldOut;
  }

  /** The images of each model; the last one is the detector's. */
  get fits(): readonly PlannedFit[] {
    return this.#plan.fits;
  }

  /** Scores that set the threshold and are known before any model is trained. */
  get known(): readonly HeldOut[] {
    const { carried, given } = this.#plan;
    return [...carried, ...given.values()];
  }

  /** The images whose scores set the threshold, in the order of scoring, behind those that are carried over. */
  get #scoring(): readonly TrainingSample[] {
    const { fits, given, carried } = this.#plan;
    const planned = [...given.keys(), ...fits.flatMap((fit) => fit.heldOut)];
    return planned.length + carried.length > 0 ? planned : fits.at(-1)!.training;
  }

  /** The number of good images that set each class's threshold. */
  get calibrating(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { className } of [...this.#plan.carried, ...this.#scoring])
      counts.set(className, (counts.get(className) ?? 0) + 1);
    return counts;
  }

  /** Assigns scores to images. @param heldOut all that set the threshold so far, the known ones first */
  scored(heldOut: readonly HeldOut[]): ReadonlyMap<TrainingSample, HeldOut> {
    const own = heldOut.slice(this.#plan.carried.length);
    return new Map(this.#scoring.slice(0, own.length).map((sample, i) => [sample, own[i]!]));
  }

  /** The record of the training. */
  record(heldOut: readonly HeldOut[]): readonly ImageRecord[] {
    const { samples, leftOut } = this.#material;
    const own = recordOf([...samples, ...leftOut], this.fits.at(-1)!.training, this.scored(heldOut));
    return this.#continuation?.record(own) ?? own;
  }

  /** Begins the nth fit. @param weights from the file of a state; by default those that it begins with */
  begin(nth: number, weights = this.#newWeights()): Fit {
    const { learner, seed } = this.#settings;
    const { training } = this.fits[nth]!;
    const indices = featuresOf(training);
    const added = featuresOf(training.filter((sample) => this.#continuation?.isNew(sample)));
    const { config, options } = this.#fit(nth);
    try {
      return learner.begin(config, options, {
        weights,
        features: {
          count: indices.length,
          added: added.length,
          batch: (chosen) => this.#material.features(chosen.map((i) => indices[i]!)),
        },
        anomalies: this.#material.anomalySource(),
        std: this.#material.std,
        seed,
        before: this.#before,
      });
    } catch (error) {
      weights.release();
      throw error;
    }
  }

  /** The stages of the fits from the nth on. */
  stagesFrom(nth: number): readonly StagePlan[] {
    return this.fits.slice(nth).flatMap(({ training }, i) => {
      const { config, options } = this.#fit(nth + i);
      return this.#settings.learner.plan(config, options, featuresOf(training).length, this.#before);
    });
  }

  /** The configuration of the detector's model. */
  get modelConfig(): Json {
    return this.#fit(this.fits.length - 1).config;
  }

  /** Identity of the training, for its saved states. */
  get identity(): TrainingIdentity {
    return identityOf(this.#settings, this.#material, this.modelConfig, this.#continuation?.identity);
  }

  get #before(): Json {
    return this.#continuation?.before ?? null;
  }

  #newWeights(): Weights {
    return this.#continuation?.weights(this.#device) ?? Weights.drawn(this.#device);
  }

  #fit(nth: number): Pick<ContinuedFit, "config" | "options"> {
    const { learner, options } = this.#settings;
    const { extractor, variance } = this.#material;
    const images = featuresOf(this.fits[nth]!.training).length;
    const spec = { ...extractor.maker.extents, variance };
    const begun = () => ({ config: learner.configure({ ...spec, images }, options), options });
    return this.#continuation?.fit(spec, images) ?? begun();
  }
}
