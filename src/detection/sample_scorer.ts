import type { Model } from "../methods/method.ts";
import { DivergedError } from "../runtime/errors.ts";
import type { HeldOut } from "./calibration.ts";
import type { TrainingSample } from "./folds.ts";
import { scoreGood } from "./good_scores.ts";
import type { Material } from "./material.ts";
import { beyondUse, type TrainingSettings } from "./training_options.ts";

/** Scores the good images of a training by its models. */
export class SampleScorer {
  readonly #settings: TrainingSettings;
  readonly #material: Material;

  constructor(settings: TrainingSettings, material: Material) {
    [this.#settings, this.#material] = [settings, material];
  }

  /** Advice after the training diverged, about the cause if it is known. */
  get remedy(): string {
    const { learner, options } = this.#settings;
    const extreme = beyondUse(learner.options, options);
    return (
      this.#material.set.problem ??
      (extreme && `${extreme} is far outside the useful range: use a smaller value`) ??
      "start again with another seed or a larger batch"
    );
  }

  /**
   * Scores images one after another.
   * @param onImage called after each with their number
   * @throws DivergedError where an image's score or its map is not finite; the reason of the signal that ended it
   */
  async scores(
    model: Model,
    samples: readonly TrainingSample[],
    onImage: (done: number) => void = () => undefined,
  ): Promise<Map<TrainingSample, HeldOut>> {
    const scored = new Map<TrainingSample, HeldOut>();
    for (const sample of samples) {
      this.#settings.signal?.throwIfAborted();
      scored.set(sample, await this.#score(model, sample));
      onImage(scored.size);
    }
    return scored;
  }

  async #score(model: Model, sample: TrainingSample): Promise<HeldOut> {
    const read = await scoreGood(model, this.#material, this.#settings, sample);
    const { className, name } = sample;
    if ("problem" in read) throw new DivergedError(`training diverged: for ${name} ${read.problem}; ${this.remedy}`);
    return { className, score: read.score, peak: read.peak };
  }
}
