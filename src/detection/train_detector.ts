import type { Device } from "../runtime/device.ts";
import type { Detector } from "./detector.ts";
import { Training } from "./training.ts";
import type { TrainingOptions } from "./training_options.ts";
import type { TrainingImage } from "./views.ts";

/**
 * Trains a detector on good images, in one go; `Training` does the same in steps that can be saved and resumed.
 *
 * @param images good images of one class or several, read once, in order
 * @param options as `Training.begin`; a loss comes with every tenth step that `onProgress` is told of
 * @returns the detector; its threshold is set by good images that were held out
 * @throws InputError and OptionError as `Training.begin`; DivergedError as `Training.fit` and `Training.finish`; the
 * reason of the signal that ended it. Nothing is left on the device then
 */
export async function trainDetector(
  device: Device,
  images: AsyncIterable<TrainingImage>,
  options: TrainingOptions = {},
): Promise<Detector> {
  const training = await Training.begin(device, images, options);
  try {
    for await (const _ of training.fit());
    return await training.finish();
  } catch (error) {
    training.release();
    throw error;
  }
}
