import { maskUnion, type DecodedImage } from "../io/image.ts";
import { Evaluation } from "../metrics/evaluate.ts";
import { meanMetrics, type Metrics } from "../metrics/metrics.ts";
import { InputError } from "../runtime/errors.ts";
import type { Detector } from "./detector.ts";
import { requireInspection } from "./inspection.ts";
import { truthWithin } from "./region.ts";
import type { TrainingImage } from "./material.ts";

/** An image whose verdict is known. */
export interface LabelledImage extends TrainingImage {
  readonly image: DecodedImage;
  readonly defective: boolean;
  /** Pictures that mark its defects with anything but black, of any size; none where nobody drew them. */
  readonly masks: readonly DecodedImage[];
}

/** Metrics of a detector: how well it tells good from defective images. */
export interface DetectorMetrics {
  /** By the name of the class. */
  readonly classes: Readonly<Record<string, Metrics>>;
  /** The mean over classes, each counted once. */
  readonly mean: Metrics;
}

const BATCH = 4;

/** Options of an evaluation. */
export interface EvaluateDetectorOptions {
  /** Ends it after a batch: the signal's reason is thrown. */
  readonly signal?: AbortSignal | null;
  /** Called after each batch with the number of images that were inspected. */
  readonly onProgress?: (progress: { readonly done: number }) => void;
}

/**
 * Measures a detector on images whose verdict is known, in bounded memory. `Evaluation` also knows intervals and
 * errors.
 *
 * @param images good and defective ones of one class or several
 * @returns fractions in [0, 1]; null where undefined
 * @throws InputError if there are no images, or one, which is named, cannot be inspected; the signal's reason
 */
export async function evaluateDetector(
  detector: Detector,
  images: AsyncIterable<LabelledImage>,
  { signal = null, onProgress = () => undefined }: EvaluateDetectorOptions = {},
): Promise<DetectorMetrics> {
  signal?.throwIfAborted();
  const evaluations = new Map<string, Evaluation>();
  let inspected = 0;
  const evaluateBatch = async (batch: readonly LabelledImage[]): Promise<void> => {
    const inspections = await detector.inspectEach(batch);
    batch.forEach(({ name, className, defective, image, masks, region }, i) => {
      const { score, map, size } = requireInspection(
        inspections[i]!,
        name ?? `image ${inspected} of class ${className}`,
      );
      inspected++;
      const mask = maskUnion(masks, size, size, (picture) => detector.placementOf(picture));
      const truth = truthWithin({ defective, mask }, region?.inMap(detector.placementOf(image), size) ?? null);
      const evaluation = evaluations.get(className) ?? new Evaluation({ resamples: 0 });
      evaluations.set(className, evaluation);
      evaluation.add({ ...truth, score, map, width: size, height: size });
    });
    onProgress({ done: inspected });
    signal?.throwIfAborted();
  };
  const batch: LabelledImage[] = [];
  for await (const image of images) {
    batch.push(image);
    if (batch.length === BATCH) await evaluateBatch(batch.splice(0));
  }
  if (batch.length > 0) await evaluateBatch(batch);
  if (evaluations.size === 0) throw new InputError("evaluateDetector: there are no images to evaluate");
  const classes = Object.fromEntries([...evaluations].map(([name, evaluation]) => [name, evaluation.result().metrics]));
  return { classes, mean: meanMetrics(Object.values(classes)) };
}
