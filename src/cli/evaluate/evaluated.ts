import type { DatasetClass, Item } from "../../data/dataset.ts";
import type { Intervals } from "../../metrics/bootstrap.ts";
import type { Curve } from "../../metrics/curve.ts";
import type { Evaluated } from "../../metrics/evaluate.ts";
import type { Metrics } from "../../metrics/metrics.ts";

/** A test image with its score. */
export interface EvaluatedImage {
  readonly item: Item;
  readonly score: number;
}

/** A class with its metrics, and what they were made of. */
export interface EvaluatedClass extends Omit<Evaluated, "image" | "pixel"> {
  readonly data: DatasetClass;
  readonly images: readonly EvaluatedImage[];
  readonly curves: ClassCurves;
  /** The reason why some metrics are undefined; null if all are defined. */
  readonly gap: string | null;
}

/** Curves without points where they are undefined. */
export interface ClassCurves {
  readonly roc: Curve;
  readonly pr: Curve;
  readonly pixelRoc: Curve;
  readonly pixelPr: Curve;
  readonly pro: Curve;
}

/** The results of evaluating all classes. */
export interface EvaluatedRun {
  readonly classes: readonly EvaluatedClass[];
  readonly mean: Metrics;
  /** Intervals of the mean; null without resamples. */
  readonly intervals: Intervals | null;
  readonly seconds: number;
  /** Images that have no part in the figures. */
  readonly skipped: readonly Skipped[];
}

/** An image that could not be read or inspected. */
export interface Skipped {
  readonly image: string;
  readonly reason: string;
}
