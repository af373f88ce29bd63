import type { Model } from "../methods/method.ts";
import type { Device } from "../runtime/device.ts";
import { DivergedError } from "../runtime/errors.ts";
import { release } from "../tensor/tensor.ts";
import type { HeldOut } from "./calibration.ts";
import type { TrainingSample } from "./folds.ts";
import type { Material } from "./material.ts";
import { imageScores, readScores } from "./scoring.ts";
import { beyondUse, type TrainingSettings } from "./training_options.ts";

/** Scores the good images of a training by its models. */
export class SampleScorer {
  readonly #device: Device;
  readonly #settings: TrainingSettings;
  readonly #material: Material;

  constructor(device: Device, settings: TrainingSettings, material: Material) {
    [this.#device, this.#settings, this.#material] = [device, settings, material];
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
    const { inputSize, learner, options } = this.#settings;
    const features = await this.#material.features([sample.index]);
    const scores = this.#device.tidy(() =>
      imageScores(model.score(features), learner.scoring(options), inputSize, null),
    );
    const reads = readScores(scores);
    for (const used of [features, scores.map, scores.score, scores.peak]) release(used);
    const read = (await reads)[0]!;
    const { className, name } = sample;
    if ("problem" in read) throw new DivergedError(`training diverged: for ${name} ${read.problem}; ${this.remedy}`);
    return { className, score: read.score, peak: read.peak };
  }
}
