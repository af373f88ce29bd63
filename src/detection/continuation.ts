import { copyCount } from "../io/symmetries.ts";
import type { Continuation as ContinuedFit, ContinuationKind, FeatureSpec, Json } from "../methods/method.ts";
import { Weights, type StoredTensors } from "../nn/weights.ts";
import type { Device } from "../runtime/device.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import type { OptionsOf, OptionTable } from "../runtime/option_table.ts";
import { toArray } from "../tensor/tensor.ts";
import { isPretrained } from "../backbones/registry.ts";
import { readAssembly, stageNames } from "./assembly.ts";
import { calibratedClass, type HeldOut } from "./calibration.ts";
import type { Detector, DetectorConfig } from "./detector.ts";
import type { FeatureMaker } from "./features.ts";
import { planFits, type PlannedFit, type TrainingSample } from "./folds.ts";
import type { Material } from "./material.ts";
import type { SampleScorer } from "./sample_scorer.ts";
import type { TrainingOptions, TrainingSettings } from "./training_options.ts";
import { fingerprint } from "./training_set.ts";
import type { TrainingImage } from "./views.ts";

/** Options of a training that goes on from a detector, besides those that the detector's own training had. */
export const CONTINUATION_OPTIONS = {
  share: {
    kind: "share",
    default: 0.1,
    help: "share of a new training's steps that one takes which goes on from a model, for each of its models",
  },
} as const satisfies OptionTable;

/** Options of a training that goes on from a detector. */
export type ContinuationOptions = TrainingOptions & OptionsOf<typeof CONTINUATION_OPTIONS>;

/** A good image of a training, and its part in it; JSON can say it. */
export interface ImageRecord {
  readonly name: string;
  readonly className: string;
  /** Number of its tiles; 1 for an image that is seen as a whole. */
  readonly tiles: number;
  /** True if the detector's model was fitted to it. */
  readonly trained: boolean;
  /**
   * Its score and peak where they set the threshold: by the detector's model, or, where that was fitted to the image,
   * by one that was not. Null where they did not.
   */
  readonly heldOut: Pick<HeldOut, "score" | "peak"> | null;
  /** True if it was added to those of an earlier training. */
  readonly added: boolean;
}

/** An earlier training that another goes on from. */
export interface EarlierTraining {
  /** The detector that came of it, which stays as it is. */
  readonly detector: Detector;
  /** Its images: `Training.record`. */
  readonly record: readonly ImageRecord[];
  /** Gives some of them, by their names, in this order; those that are gone may be left out. */
  readonly images: (wanted: readonly ImageRecord[]) => AsyncIterable<TrainingImage>;
}

/** An added image, and how it scores. */
export interface AddedImage {
  readonly name: string;
  readonly className: string;
  /** Score by the detector that training went on from. */
  readonly before: number;
  /** Score by the new detector. */
  readonly after: number;
  /** Score that set the threshold, by a model that was not fitted to the image; null where it set none. */
  readonly heldOut: number | null;
}

/** Makes the record of a training. */
export const recordOf = (
  samples: readonly TrainingSample[],
  trained: readonly TrainingSample[],
  scored: ReadonlyMap<TrainingSample, HeldOut>,
): ImageRecord[] => {
  const isTrained = new Set(trained);
  return samples.map((sample) => {
    const { name, className, views } = sample;
    const found = scored.get(sample);
    const heldOut = found ? { score: found.score, peak: found.peak } : null;
    return { name, className, tiles: views.length, trained: isTrained.has(sample), heldOut, added: false };
  });
};

/** The models of a training, and scores that set the threshold as they are. */
export interface ContinuedPlan {
  readonly fits: readonly PlannedFit[];
  /** Those of images of the earlier training. */
  readonly carried: readonly HeldOut[];
  /** Those of added images, which the detector itself gives. */
  readonly given: ReadonlyMap<TrainingSample, HeldOut>;
}

/** The options of a training that a detector decides. */
const decidedBy = ({ method, backbone, input }: DetectorConfig) => ({
  method: method.name,
  backbone: backbone.name,
  padding: backbone.padding,
  inputSize: input.size,
  resize: input.resize,
  tile: input.tiles?.tile ?? null,
  overlap: input.tiles?.overlap ?? null,
});

/** Options with those that a detector decides, where they are not given. */
export const withDecided = (config: DetectorConfig, options: TrainingOptions): TrainingOptions => {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => (value ?? null) !== null));
  const stages = isPretrained(config.backbone.name) ? stageNames(config.assembly) : null;
  return { stages, ...decidedBy(config), ...given } as TrainingOptions;
};

const HALVES = 2;
const DETECTOR = "the detector that training goes on from"; // the source of its tensors, for errors

/** The part of a detector that a training takes over, and the way in which it goes on. */
export class Continuation {
  /** Identity of the detector's tensors and of the share of steps: a saved training must have the same. */
  readonly identity: string;
  readonly kind: ContinuationKind;
  /** The detector's tensors by name: among them the constants that standardise features. */
  readonly tensors: StoredTensors;
  readonly #settings: TrainingSettings;
  readonly #share: number;
  readonly #earlier: EarlierTraining;
  readonly #records: ReadonlyMap<string, ImageRecord>;

  private constructor(earlier: EarlierTraining, tensors: StoredTensors, settings: TrainingSettings, share: number) {
    [this.#earlier, this.tensors, this.#settings, this.#share] = [earlier, tensors, settings, share];
    this.#records = new Map(earlier.record.map((one) => [one.name, one]));
    const { learner, options, augment } = settings;
    const { method } = this.config;
    // of an image more, so that what contradicts the model is refused before any is read
    const spec = { ...learner.validate(method.config), variance: 1, images: this.#trainedOn + copyCount(augment) + 1 };
    this.kind = learner.continued(method.config, spec, options, share).kind;
    const prints = [...tensors].map(([name, { data }]) => `${name} ${fingerprint(data)}`);
    this.identity = JSON.stringify({ share, tensors: prints });
  }

  /**
   * Prepares a training that goes on from a detector.
   * @throws OptionError for options that contradict it
   */
  static async from(earlier: EarlierTraining, settings: TrainingSettings, share: number): Promise<Continuation> {
    const { config } = earlier.detector;
    const { learner, options } = settings;
    for (const [name, was] of Object.entries(decidedBy(config)))
      requireSame(name, was, settings[name as keyof TrainingSettings]);
    requireSame("scoring", config.scoring, learner.scoring(options));
    const reads = [...earlier.detector.tensors()].map(
      async ([name, tensor]) => [name, { shape: tensor.shape, data: await toArray(tensor) }] as const,
    );
    return new Continuation(earlier, new Map(await Promise.all(reads)), settings, share);
  }

  /** The detector's configuration. */
  get config(): DetectorConfig {
    return this.#earlier.detector.config;
  }

  /** Number of features that the detector's model was fitted to: of images or their tiles, and of copies. */
  get #trainedOn(): number {
    const tiles = this.#earlier.record.reduce((sum, one) => sum + (one.trained ? one.tiles : 0), 0);
    return tiles * (1 + copyCount(this.#settings.augment));
  }

  /** @throws OptionError for features that are made otherwise than the detector's */
  requireMaker({ backbone: { identity }, assembly }: FeatureMaker): void {
    requireSame("backbone", this.config.backbone, identity);
    requireSame("assembly", readAssembly(this.config.assembly), readAssembly(assembly));
  }

  /** @throws OptionError where the detector knows regions and the images have none, or the other way round */
  requireRegions(regions: boolean): void {
    const [learned, now] = [this.config.regions, regions].map((one) => (one ? "regions of interest" : "whole images"));
    if (learned !== now)
      throw new OptionError(`training: the detector learned from ${learned}, and got ${now}: give the same`);
  }

  /**
   * The images that are needed of the earlier training, then the added ones.
   * @throws OptionError for an image that was not asked for, or an added one that the record has; InputError where none
   * of either kind comes
   */
  async *images(added: AsyncIterable<TrainingImage>): AsyncGenerator<TrainingImage> {
    const { record, images } = this.#earlier;
    const wanted = record.filter((one) => this.#isWanted(one));
    let [known, further] = [0, 0];
    for await (const image of images(wanted)) {
      const own = this.#records.get(image.name ?? "");
      if (!own || !this.#isWanted(own))
        throw new OptionError(`training: expected an image that was asked for by name, got ${image.name ?? "another"}`);
      known++;
      yield { ...image, className: own.className };
    }
    if (known === 0 && wanted.length > 0)
      throw new InputError(
        `none of the ${wanted.length} good images of the earlier training is there, which training goes on with beside the added ones: bring them back, or train anew`,
      );
    for await (const image of added) {
      further++;
      const className = calibratedClass(this.config.calibration, image.className);
      const name = image.name ?? `added image ${record.length + further}, of class ${className},`;
      if (this.#records.has(name))
        throw new OptionError(`training: ${name} is an image of the earlier training: add others`);
      yield { ...image, name, className };
    }
    if (further === 0) throw new InputError("there are no good images to add");
  }

  /** False for images that are left out, and those that a bank knows and no threshold needs. */
  #isWanted({ trained, heldOut }: ImageRecord): boolean {
    if (this.kind !== "addition") return trained || heldOut !== null;
    return heldOut !== null && (!trained || this.#settings.folds === 0);
  }

  /** True for an image that the earlier training did not have. */
  readonly isNew = ({ name }: TrainingSample): boolean => !this.#records.has(name);

  /** Marks the scores of images that this or an earlier training added. */
  marked(sample: TrainingSample, heldOut: HeldOut): HeldOut {
    return { ...heldOut, added: this.#records.get(sample.name)?.added ?? true };
  }

  /**
   * Plans the models. Images that the detector's model held out are scored anew. Added ones are scored by models that
   * are not fitted to them; where models take steps, half of a class's few are, by one further model, since each takes
   * its time. Images that cross-validation scored keep these scores, as all models that go on from the detector's know
   * them; where models are fitted anew they are divided again, with the added ones.
   * @param before scores of the added images by the detector
   */
  plan(samples: readonly TrainingSample[], before: ReadonlyMap<TrainingSample, HeldOut>): ContinuedPlan {
    const { folds } = this.#settings;
    const own = (sample: TrainingSample): ImageRecord => this.#records.get(sample.name)!;
    const isCrossValidated = ({ trained, heldOut }: ImageRecord): boolean => trained && heldOut !== null;
    const isRefitted = this.kind === "refit";
    const isDivided = (sample: TrainingSample): boolean =>
      this.isNew(sample) || (isRefitted && isCrossValidated(own(sample)));
    const settled = samples.filter((sample) => !isDivided(sample));
    const steps = this.kind === "steps";
    const planned = planFits(samples.filter(isDivided), steps ? Math.min(folds, HALVES) : folds, {
      training: this.kind === "addition" ? [] : settled.filter((sample) => own(sample).trained),
      heldOut: settled.filter((sample) => !own(sample).trained || (folds === 0 && isCrossValidated(own(sample)))),
    });
    const fits = steps && planned.length > HALVES ? [planned[0]!, planned.at(-1)!] : planned;
    const scored = new Set(fits.flatMap(({ heldOut }) => heldOut));
    const carried = isRefitted || folds === 0 ? [] : this.#earlier.record.filter(isCrossValidated);
    // Where there is nothing else to add, the model without an added image is the detector's.
    const added = samples.filter(this.isNew);
    const isAlone = this.kind === "addition" && folds > 0 && !added.some((sample) => scored.has(sample));
    return {
      fits,
      carried: carried.map(({ className, heldOut, added }) => ({ className, ...heldOut!, added })),
      given: new Map(isAlone ? added.map((sample) => [sample, this.marked(sample, before.get(sample)!)]) : []),
    };
  }

  /**
   * The fit of a model, given what it sees.
   * @param images number of features: of good images or their tiles, and of copies
   */
  fit(spec: Omit<FeatureSpec, "images">, images: number): ContinuedFit {
    const { learner, options } = this.#settings;
    const all = images + (this.kind === "addition" ? this.#trainedOn : 0);
    return learner.continued(this.config.method.config, { ...spec, images: all }, options, this.#share);
  }

  /** The weights that a fit begins with. */
  weights(device: Device): Weights {
    return this.kind === "refit" ? Weights.drawn(device) : Weights.resized(device, this.tensors, DETECTOR);
  }

  /** The configuration of the model that a fit adds to. */
  get before(): Json {
    return this.kind === "refit" ? null : this.config.method.config;
  }

  /** Scores of the added images by the detector's model. */
  async scoresBefore(
    device: Device,
    scorer: SampleScorer,
    { samples }: Pick<Material, "samples">,
  ): Promise<ReadonlyMap<TrainingSample, HeldOut>> {
    const weights = Weights.stored(device, this.tensors, DETECTOR);
    try {
      const model = this.#settings.learner.restore(this.config.method.config, weights);
      weights.freeze();
      return await scorer.scores(model, samples.filter(this.isNew));
    } finally {
      weights.release();
    }
  }

  /** The record of the training, given that of the images that were read. */
  record(now: readonly ImageRecord[]): ImageRecord[] {
    const read = new Map(now.map((one) => [one.name, one]));
    const kept = this.#earlier.record.map((was): ImageRecord => {
      const is = read.get(was.name);
      if (!is) return this.kind === "refit" ? { ...was, trained: false, heldOut: null } : was;
      return { ...was, trained: is.trained || was.trained, heldOut: is.heldOut ?? was.heldOut };
    });
    const fresh = now.filter(({ name }) => !this.#records.has(name)).map((one) => ({ ...one, added: true }));
    return [...kept, ...fresh];
  }
}

/** @throws OptionError where a value is not the detector's */
function requireSame(name: string, was: unknown, now: unknown): void {
  const [before, after] = [was, now].map((value) => JSON.stringify(value));
  if (before !== after)
    throw new OptionError(`training: expected ${name} ${before}, as the detector has, got ${after}: leave it out`);
}
