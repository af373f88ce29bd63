import type { AddedImage, ContinuationOptions, EarlierTraining, ImageRecord } from "./continuation.ts";
import type { Detector } from "./detector.ts";
import { Training } from "./training.ts";
import type { TrainingImage } from "./views.ts";

/** A detector that came of another one and further images. */
export interface ContinuedTraining {
  readonly detector: Detector;
  /** The added images, with their scores before and after. */
  readonly added: readonly AddedImage[];
  /** All images and their parts in the training, from which another goes on. */
  readonly record: readonly ImageRecord[];
}

/**
 * Trains a detector further, in one go, with good images that were added: false alarms that a person confirmed to be
 * good. `Training.from` does the same in steps that can be saved and resumed.
 *
 * @param earlier the detector, which stays as it is, and the images of its training; `Training.record` has the record
 * @param added good images, decoded, of classes that the detector knows
 * @param options as `Training.from`
 * @returns the new detector, on the same device, with thresholds set anew
 * @throws as `Training.from`, `Training.fit` and `Training.finish`. Nothing more is left on the device then
 */
export async function continueTraining(
  earlier: EarlierTraining,
  added: AsyncIterable<TrainingImage>,
  options: ContinuationOptions = {},
): Promise<ContinuedTraining> {
  const training = await Training.from(earlier, added, options);
  try {
    for await (const _ of training.fit());
    const detector = await training.finish();
    return { detector, added: training.added, record: training.record };
  } catch (error) {
    training.release();
    throw error;
  }
}
