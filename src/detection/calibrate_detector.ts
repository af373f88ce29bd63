import { batchesOf } from "../io/image.ts";
import { InputError } from "../runtime/errors.ts";
import { calibratedClass, recalibrated, type Calibration, type HeldOut } from "./calibration.ts";
import type { Detector } from "./detector.ts";
import { imagesTogether, type EvaluateDetectorOptions } from "./evaluation.ts";
import { requireInspection } from "./inspection.ts";
import type { GoodImage } from "./material.ts";
import { TRAINING_OPTIONS } from "./training_options.ts";

/** Options of a calibration. */
export interface CalibrateDetectorOptions extends EvaluateDetectorOptions {
  /** Share of good images to reject, in (0, 0.5]; fewer images than it takes support a larger one. Default 0.01. */
  readonly falseReject?: number;
}

/**
 * Sets a detector's thresholds anew, from good images that it was not trained on; its model stays as it is.
 *
 * @param images good images, decoded; classes without any keep their thresholds
 * @returns the calibration before, and the scores that set the new one, which `detector.config.calibration` is
 * @throws InputError if there are no images, or one, which is named, cannot be inspected; OptionError for a class that
 * the detector does not know; OptionError and DivergedError as `calibrationOf`; the signal's reason. The detector is unchanged then
 */
export async function calibrateDetector(
  detector: Detector,
  images: AsyncIterable<GoodImage>,
  {
    falseReject = TRAINING_OPTIONS.falseReject.default,
    signal = null,
    onProgress = () => undefined,
  }: CalibrateDetectorOptions = {},
): Promise<{ readonly before: Calibration; readonly scores: readonly HeldOut[] }> {
  signal?.throwIfAborted();
  const before = detector.config.calibration;
  const scores: HeldOut[] = [];
  for await (const batch of batchesOf(images, imagesTogether(detector))) {
    const inspections = await detector.inspectEach(batch);
    batch.forEach(({ name, className }, i) => {
      const { score, peak } = requireInspection(
        inspections[i]!,
        name ?? `image ${scores.length} of class ${className}`,
      );
      scores.push({ className: calibratedClass(before, className), score, peak });
    });
    onProgress({ done: scores.length });
    signal?.throwIfAborted();
  }
  if (scores.length === 0) throw new InputError("calibrateDetector: there are no images to calibrate with");
  detector.calibrate(recalibrated(before, scores, falseReject));
  return { before, scores };
}
