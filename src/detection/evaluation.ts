import { batchesOf, maskUnion, type DecodedImage } from "../io/image.ts";
import { Evaluation, type ScoredImage } from "../metrics/evaluate.ts";
import { meanMetrics, type Metrics } from "../metrics/metrics.ts";
import { InputError } from "../runtime/errors.ts";
import type { Detector } from "./detector.ts";
import { requireInspection, type Inspection } from "./inspection.ts";
import { truthWithin, type PictureRegion, type Truth } from "./region.ts";
import type { GoodImage } from "./material.ts";

/** An image whose verdict is known. */
export interface LabelledImage extends GoodImage {
  readonly defective: boolean;
  /** Masks of its defects, of any size, in which anything but black is defective; empty if there are none. */
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

/** Images that are inspected together: one whose tiles are scored in batches, else a few. */
export const imagesTogether = ({ config }: Pick<Detector, "config">): number => (config.input.tiles ? 1 : BATCH);

/**
 * An inspected image with its ground truth, as `Evaluation.add` takes it.
 * @param truth its mask as it is placed in the map
 * @param region the part of the image that counts; null, or nothing, where all does
 */
export function scoredImage(
  { score, map, size, placement }: Inspection,
  truth: Truth,
  region?: PictureRegion | null,
): ScoredImage {
  const counted = region?.inMap(placement, size) ?? null;
  return { ...truthWithin(truth, counted), score, map, width: size.width, height: size.height };
}

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
  for await (const batch of batchesOf(images, imagesTogether(detector))) {
    const inspections = await detector.inspectEach(batch);
    batch.forEach(({ name, className, defective, masks, region }, i) => {
      const inspection = requireInspection(inspections[i]!, name ?? `image ${inspected} of class ${className}`);
      inspected++;
      const { size } = inspection;
      const mask = maskUnion(masks, size.width, size.height, (picture) => detector.placementOf(picture, size));
      const evaluation = evaluations.get(className) ?? new Evaluation({ resamples: 0 });
      evaluations.set(className, evaluation);
      evaluation.add(scoredImage(inspection, { defective, mask }, region));
    });
    onProgress({ done: inspected });
    signal?.throwIfAborted();
  }
  if (evaluations.size === 0) throw new InputError("evaluateDetector: there are no images to evaluate");
  const classes = Object.fromEntries([...evaluations].map(([name, evaluation]) => [name, evaluation.result().metrics]));
  return { classes, mean: meanMetrics(Object.values(classes)) };
}
