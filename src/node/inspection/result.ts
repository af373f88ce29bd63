import type { Defect } from "../../detection/defects.ts";

/** An image that was inspected, and what was found in it. */
export interface Inspected {
  readonly image: string;
  readonly score: number;
  /** 0.5 at the threshold. */
  readonly calibrated: number;
  readonly verdict: "good" | "defective";
  /** The largest value of the map. */
  readonly peak: number;
  readonly width: number;
  readonly height: number;
  readonly defects: readonly Defect[];
  /** Files of pictures of it, of the kinds that were asked for. */
  readonly pictures: Readonly<Partial<Record<PictureKind, string>>>;
}

/** An image that could not be inspected. */
export interface UnreadableImage {
  readonly image: string;
  readonly verdict: "unreadable";
  readonly reason: string;
}

export type Result = Inspected | UnreadableImage;

export const PICTURE_KINDS = ["heatMap", "mask", "contour", "map"] as const;

export type PictureKind = (typeof PICTURE_KINDS)[number];
