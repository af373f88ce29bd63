import type { HeatMap } from "../io/heat.ts";
import type { DecodedImage } from "../io/image.ts";
import type { Size } from "../io/placement.ts";
import { InputError } from "../runtime/errors.ts";
import type { PictureRegion } from "./region.ts";

/** An image to inspect. */
export interface InputImage {
  readonly image: DecodedImage;
  /** Its region of interest; null or absent: all of it. */
  readonly region?: PictureRegion | null;
}

/** The size of an image and its region of interest. */
export interface ImageRegion {
  readonly image: Size;
  /** Null or absent: all of it. */
  readonly region?: PictureRegion | null;
}

/** Options of inspecting features. */
export interface FeatureRegions {
  /** The image of each of the features, where only parts of images count. Default: all of each counts. */
  readonly images?: readonly ImageRegion[];
}

/** The detector's scores for what the backbone made of an image. */
export interface FeatureInspection {
  /** Higher is more anomalous, never below 0. `Scoring` says how it is computed. */
  readonly score: number;
  /** The score mapped to 0..1: 0.5 at the threshold, 0.1 at a typical good image. */
  readonly calibrated: number;
  /** The largest single value of the map. */
  readonly peak: number;
  /** `size` x `size`, row-major: the anomaly of each pixel of the resized image. */
  readonly map: Float32Array;
  readonly size: number;
}

/** The detector's result for one image. */
export interface Inspection extends FeatureInspection, HeatMap {}

/** An image that cannot be inspected: its score or its map is not finite. */
export interface InspectionFailure {
  /** The problem and its remedy. */
  readonly reason: string;
}

/**
 * An image's inspection.
 * @param name the image's, for errors
 * @throws InputError if there is none
 */
export function requireInspection<T extends FeatureInspection>(outcome: T | InspectionFailure, name: string): T {
  if ("reason" in outcome) throw new InputError(`${name} cannot be inspected: ${outcome.reason}`);
  return outcome;
}
