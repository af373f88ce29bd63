import { calibratedScore, type GoodScores } from "../../detection/calibration.ts";
import { defectsOf, type Defects } from "../../detection/defects.ts";
import type { Detector } from "../../detection/detector.ts";
import type { InputImage, InspectOptions, Inspection } from "../../detection/inspection.ts";
import type { Region } from "../../detection/region.ts";
import { requireUsable, type Picture } from "../../io/image.ts";
import { InputError } from "../../runtime/errors.ts";
import { isGone } from "../files/reasons.ts";
import type { Decoded } from "../images.ts";
import type { Inspected } from "./result.ts";

/** The reasons why there is no score: the file has vanished, it cannot be used, or the model failed on the image. */
export type Failure = "gone" | "unusable" | "model";

/** The scores and thresholds that make a verdict. */
export interface VerdictLimits {
  readonly good: GoodScores;
  /** Score above which an image is defective. */
  readonly threshold: number;
  readonly pixelThreshold: number;
  /** Smallest area of a defect, pixels; an image without such a defect is good whatever its score. Null: no limit. */
  readonly minArea: number | null;
}

/** An image with its scores, or why it has none. */
export type Scored<T> =
  | { readonly item: T; readonly input: Required<InputImage>; readonly inspection: Inspection }
  | { readonly item: T; readonly failure: Failure; readonly reason: string };

/**
 * Scores decoded images, in their order. An image that cannot be used or inspected has the reason in its place.
 * @param most images, or tiles, per batch of the detector
 * @param region the part of each picture that counts; null: all of it
 * @param onProgress as in `InspectOptions`; the index is among the images that can be used
 */
export async function scoreImages<T extends { readonly image: string }>(
  detector: Detector,
  batch: readonly Decoded<T, Picture>[],
  most: number,
  region: Region | null,
  onProgress?: InspectOptions["onProgress"],
): Promise<Scored<T>[]> {
  const read = batch.map((decoded) => usable(detector, decoded, region));
  const images = read.filter((one) => "image" in one);
  const inspections = await detector.inspectEach(images, { batch: most, ...(onProgress && { onProgress }) });
  const inspected = new Map(images.map((image, i) => [image, inspections[i]!]));
  return batch.map(({ item }, i): Scored<T> => {
    const input = read[i]!;
    if ("failure" in input) return { item, ...input };
    const inspection = inspected.get(input)!;
    return "reason" in inspection
      ? { item, failure: "model", reason: `${item.image} cannot be inspected: ${inspection.reason}` }
      : { item, input, inspection };
  });
}

/** An image with what counts in it, or why it cannot be inspected. */
function usable<T extends { readonly image: string }>(
  detector: Detector,
  decoded: Decoded<T, Picture>,
  region: Region | null,
): Required<InputImage> | { readonly failure: Failure; readonly reason: string } {
  try {
    if ("error" in decoded) throw decoded.error;
    const { image, item } = decoded;
    requireUsable(image, item.image);
    return { image, region: region?.of(image, item.image, detector.config.input) ?? null };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { failure: isGone(error) ? "gone" : "unusable", reason: error.message };
  }
}

/**
 * Judges a scored image: its verdict and its defects.
 * @param name the image's, in the result
 * @returns the result, which has no pictures yet, and the defects that they are drawn from
 */
export function judge(
  name: string,
  { image: { width, height }, region }: Required<InputImage>,
  inspection: Inspection,
  { good, threshold, pixelThreshold, minArea }: VerdictLimits,
): { readonly result: Inspected; readonly found: Defects } {
  const { score, peak } = inspection;
  const found = defectsOf(inspection, {
    threshold: pixelThreshold,
    minArea: minArea ?? 1,
    counted: region?.counted ?? null,
  });
  const isGood = score <= threshold || (minArea !== null && found.defects.length === 0);
  const result: Inspected = {
    image: name,
    score,
    calibrated: calibratedScore(score, good),
    verdict: isGood ? "good" : "defective",
    peak,
    width,
    height,
    defects: found.defects,
    pictures: {},
  };
  return { result, found };
}
