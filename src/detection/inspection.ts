import type { HeatMap } from "../io/heat.ts";
import type { Picture } from "../io/image.ts";
import type { Size } from "../io/placement.ts";
import { InputError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { PictureRegion } from "./region.ts";

/** An image to inspect. */
export interface InputImage {
  /** Decoded; or one that gives parts of itself, of which a detector with tiles reads no more than it needs at a time. */
  readonly image: Picture;
  /** Its region of interest; null or absent: all of it. */
  readonly region?: PictureRegion | null;
}

/** The size of an image and its region of interest. */
export interface ImageRegion {
  readonly image: Size;
  /** Null or absent: all of it. */
  readonly region?: PictureRegion | null;
}

/** Progress of an inspection by tiles. */
export interface TileProgress {
  /** Index of the image among those that are inspected. */
  readonly image: number;
  /** The number of its tiles that have been scored, and of all that are. */
  readonly done: number;
  readonly total: number;
}

/** Options of an inspection. */
export interface InspectOptions {
  /**
   * Images that are scored at a time; of a detector with tiles, tiles of an image. Default: all images, or 8 tiles.
   */
  readonly batch?: number;
  /** Called after each batch of tiles; never by a detector without tiles. */
  readonly onProgress?: (progress: TileProgress) => void;
}

/** Features of a photograph's tiles. */
export interface TiledFeatures extends ImageRegion {
  /**
   * Gives `[count, cells, cells, channels]` of so many tiles from the first one on, as `FeatureMaker.raw` makes them;
   * whoever asks releases them.
   */
  readonly read: (first: number, count: number) => Promise<Tensor>;
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
  /**
   * Row-major, of `size`: the anomaly of each pixel of the resized image; of a detector with tiles, of the photograph
   * at the scale at which its tiles are resized.
   */
  readonly map: Float32Array;
  readonly size: Size;
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
