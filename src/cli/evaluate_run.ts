import { basename, join } from "node:path";
import type { Dataset, Item } from "../data/dataset.ts";
import type { DecodedImage } from "../io/image.ts";
import { proCurve } from "../metrics/aupro.ts";
import { intervalsOf, LEVEL, meanResampled, type Intervals } from "../metrics/bootstrap.ts";
import type { Curve } from "../metrics/curve.ts";
import { Evaluation, type Evaluated, type EvaluationOptions, type Sample } from "../metrics/evaluate.ts";
import { meanMetrics, type Metrics } from "../metrics/metrics.ts";
import { precisionRecallCurve, rocCurve } from "../metrics/ranking.ts";
import type { Detector } from "../models/detector.ts";
import { truthWithin } from "../models/picture_region.ts";
import { decodeMasks } from "../node/images.ts";
import { InputError } from "../runtime/errors.ts";
import { readableImages } from "./dataset.ts";
import type { ClassCurves, EvaluatedClass, EvaluatedRun, Judged } from "./evaluated.ts";
import { showProgress } from "./progress.ts";
import type { Region } from "./region.ts";

/** What `eval --json` prints. */
export interface MetricsReport {
  readonly classes: Readonly<Record<string, Metrics>>;
  readonly mean: Metrics;
  /** 95 % confidence intervals; null without resamples. */
  readonly intervals: { readonly level: number; readonly classes: Readonly<Record<string, Intervals>>; readonly mean: Intervals } | null;
  /** How pixel metrics were made, and how far each metric may be from the exact one. */
  readonly pixels: Readonly<Record<string, { readonly method: Evaluated["method"]; readonly count: number; readonly errors: Metrics }>>;
}

export function metricsReport({ classes, mean, intervals }: EvaluatedRun): MetricsReport {
  const byClass = <T>(of: (evaluated: EvaluatedClass) => T): Record<string, T> => Object.fromEntries(classes.map((one) => [one.data.name, of(one)]));
  return {
    classes: byClass(({ metrics }) => metrics),
    mean,
    intervals: intervals && { level: LEVEL, classes: byClass(({ intervals }) => intervals!), mean: intervals },
    pixels: byClass(({ method, pixels, errors }) => ({ method, count: pixels, errors })),
  };
}

const BATCH = 4;
const CURVE_POINTS = 200;

export interface EvaluateRunOptions extends Pick<EvaluationOptions, "method" | "resamples"> {
  /** Whether an image that cannot be read ends everything. */
  readonly strict: boolean;
  /** The part of each image that counts; null where all does. */
  readonly region: Region | null;
}

/**
 * Judges a dataset's test images and measures how well. No map outlives its class; if pixels are streamed, not even its batch.
 * @throws InputError if there are none
 */
export async function evaluateRun(
  detector: Detector,
  root: string,
  dataset: Dataset,
  { strict, region, ...options }: EvaluateRunOptions,
): Promise<EvaluatedRun> {
  const total = dataset.classes.reduce((sum, { test }) => sum + test.length, 0);
  if (total === 0) throw new InputError(`${root} has no test images, read as ${dataset.layout.format}: ${dataset.layout.rule}`);
  const started = performance.now();
  const bar = showProgress("Evaluation", total);
  const classes: EvaluatedClass[] = [];
  let done = 0;
  try {
    for (const [part, data] of dataset.classes.entries()) {
      const evaluation = new Evaluation({ ...options, part });
      const judged: Judged[] = [];
      let batch: { readonly item: Item; readonly image: DecodedImage }[] = [];
      const flush = async () => {
        for (const { item, sample } of await judge(detector, root, batch, region)) {
          evaluation.add(sample);
          judged.push({ item, score: sample.score });
        }
        bar.update((done += batch.length));
        batch = [];
      };
      for await (const read of readableImages(data.test, ({ path }) => join(root, path), strict, () => bar.update(++done))) {
        batch.push(read);
        if (batch.length === BATCH) await flush();
      }
      if (batch.length > 0) await flush();
      const { image, pixel, ...evaluated } = evaluation.result();
      classes.push({ data, judged, ...evaluated, curves: curvesOf({ image, pixel }), gap: gapOf(judged, pixel) });
    }
  } finally {
    bar.end();
  }
  const resampled = classes.flatMap(({ resampled }) => resampled ?? []);
  return {
    classes,
    mean: meanMetrics(classes.map(({ metrics }) => metrics)),
    intervals: resampled.length > 0 ? intervalsOf(meanResampled(resampled)) : null,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Judges a few test images together; with their masks, placed as the detector sees them. */
async function judge(
  detector: Detector,
  root: string,
  batch: readonly { readonly item: Item; readonly image: DecodedImage }[],
  region: Region | null,
): Promise<{ readonly item: Item; readonly sample: Sample }[]> {
  const parts = batch.map(({ item, image }) => region?.of(image, join(root, item.path), detector.config) ?? null);
  const inspections = await detector.inspect(batch.map(({ image }) => image), parts);
  return Promise.all(
    inspections.map(async ({ score, map, size }, i) => {
      const { item, image } = batch[i]!;
      const masks = item.masks.map((path) => join(root, path));
      const mask = await decodeMasks(masks, size, size, (picture) => detector.placementOf(picture));
      const truth = truthWithin({ defective: item.defective, mask }, parts[i]?.inMap(detector.placementOf(image), size) ?? null);
      return { item: { ...item, defective: truth.defective }, sample: { ...truth, score, map, width: size, height: size } };
    }),
  );
}

const NO_CURVE: Curve = { x: new Float64Array(), y: new Float64Array() };

const curvesOf = ({ image, pixel }: Pick<Evaluated, "image" | "pixel">): ClassCurves => ({
  roc: rocCurve(image, CURVE_POINTS),
  pr: precisionRecallCurve(image, CURVE_POINTS),
  pixelRoc: pixel ? rocCurve(pixel, CURVE_POINTS) : NO_CURVE,
  pixelPr: pixel ? precisionRecallCurve(pixel, CURVE_POINTS) : NO_CURVE,
  pro: pixel ? proCurve(pixel, CURVE_POINTS) : NO_CURVE,
});

function gapOf(judged: readonly Judged[], pixel: Evaluated["pixel"]): string | null {
  const defective = judged.filter(({ item }) => item.defective).length;
  if (judged.length === 0) return "no test images, so nothing is measured";
  if (defective === 0) return "no defective test images, so nothing can be told apart";
  if (defective === judged.length) return "no good test images, so image metrics are undefined";
  if (!pixel) return "no masks of its defects, so pixel metrics are undefined";
  return pixel.negatives === 0 ? "no good pixels, so pixel metrics are undefined" : null;
}

/** The name that a test image is shown under. */
export const shownName = ({ path }: Item): string => basename(path);
