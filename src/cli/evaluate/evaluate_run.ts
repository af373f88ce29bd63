import { basename, join } from "node:path";
import type { Dataset, Item } from "../../data/dataset.ts";
import { batchesOf, type Picture } from "../../io/image.ts";
import { proCurve } from "../../metrics/aupro.ts";
import { intervalsOf, LEVEL, meanResampled, type Intervals } from "../../metrics/bootstrap.ts";
import type { Curve } from "../../metrics/curve.ts";
import { Evaluation, type Evaluated, type EvaluationOptions, type ScoredImage } from "../../metrics/evaluate.ts";
import { meanMetrics, type Metrics } from "../../metrics/metrics.ts";
import { precisionRecallCurve, rocCurve } from "../../metrics/ranking.ts";
import { imagesTogether, scoredImage } from "../../detection/evaluation.ts";
import type { Detector } from "../../detection/detector.ts";
import type { Inspection, InspectionFailure } from "../../detection/inspection.ts";
import { decodeMasks } from "../../node/images.ts";
import { InputError } from "../../runtime/errors.ts";
import { readableImages } from "../dataset.ts";
import type { ClassCurves, EvaluatedClass, EvaluatedRun, EvaluatedImage, Skipped } from "./evaluated.ts";
import { FAILED } from "../terminal/exit_codes.ts";
import { say } from "../terminal/say.ts";
import { showProgress } from "../terminal/progress.ts";
import type { PictureRegion, Region } from "../../detection/region.ts";

/** The output of `eval --json`. */
export interface MetricsReport {
  readonly classes: Readonly<Record<string, Metrics>>;
  readonly mean: Metrics;
  /** 95 % confidence intervals; null without resamples. */
  readonly intervals: {
    readonly level: number;
    readonly classes: Readonly<Record<string, Intervals>>;
    readonly mean: Intervals;
  } | null;
  /** The method of the pixel metrics, and the largest possible error of each metric. */
  readonly pixels: Readonly<
    Record<string, { readonly method: Evaluated["method"]; readonly count: number; readonly errors: Metrics }>
  >;
}

export function metricsReport({ classes, mean, intervals }: EvaluatedRun): MetricsReport {
  const byClass = <T>(of: (evaluated: EvaluatedClass) => T): Record<string, T> =>
    Object.fromEntries(classes.map((one) => [one.data.name, of(one)]));
  return {
    classes: byClass(({ metrics }) => metrics),
    mean,
    intervals: intervals && { level: LEVEL, classes: byClass(({ intervals }) => intervals!), mean: intervals },
    pixels: byClass(({ method, pixels, errors }) => ({ method, count: pixels, errors })),
  };
}

const CURVE_POINTS = 200;

export interface EvaluateRunOptions extends Pick<EvaluationOptions, "method" | "resamples"> {
  /** True to fail at the first image that cannot be read. */
  readonly strict: boolean;
  /** The part of each image that counts; null where all does. */
  readonly region: Region | null;
  /** Inspects the images. Default: decodes and inspects each as `predict` does. */
  readonly inspect?: InspectItems;
  /** Title of the progress bar. Default: "Evaluation". */
  readonly title?: string;
}

/** A test image with its score and ground truth, or the reason why it has none. */
export interface ItemOutcome {
  readonly item: Item;
  readonly outcome: ScoredImage | InputError;
}

/**
 * Inspects images in order, a batch at a time.
 * @param onSkip called for each that cannot be read, which is no part of a batch
 */
export type InspectItems = (
  items: readonly Item[],
  onSkip: (item: Item, error: Error) => void,
) => AsyncIterable<readonly ItemOutcome[]>;

/**
 * Inspects a dataset's test images and measures how well the detector does. No map outlives its class; if pixels are
 * streamed, not even its batch. An image that cannot be read or inspected is named and left out; where that is due to
 * the model, the command ends with exit code 1.
 * @throws InputError if there are none, or none could be evaluated; at the first that cannot be if `strict`
 */
export async function evaluateRun(
  detector: Detector,
  root: string,
  dataset: Dataset,
  {
    strict,
    region,
    inspect = inspectPhotographs(detector, root, strict, region),
    title = "Evaluation",
    ...options
  }: EvaluateRunOptions,
): Promise<EvaluatedRun> {
  const total = dataset.classes.reduce((sum, { test }) => sum + test.length, 0);
  if (total === 0)
    throw new InputError(`${root} has no test images, read as ${dataset.layout.format}: ${dataset.layout.rule}`);
  const started = performance.now();
  const bar = showProgress(title, total);
  const classes: EvaluatedClass[] = [];
  const skipped: Skipped[] = [];
  let done = 0;
  try {
    for (const [part, data] of dataset.classes.entries()) {
      const evaluation = new Evaluation({ ...options, part });
      const images: EvaluatedImage[] = [];
      const inspected = inspect(data.test, ({ path }, { message }) => {
        bar.update(++done);
        skipped.push({ image: path, reason: message });
      });
      for await (const batch of inspected) {
        for (const { item, outcome } of batch) {
          if (outcome instanceof InputError) {
            if (strict) throw outcome;
            say(`skipped: ${outcome.message}`);
            skipped.push({ image: item.path, reason: outcome.message });
            continue;
          }
          evaluation.add(outcome);
          images.push({ item, score: outcome.score });
        }
        bar.update((done += batch.length));
      }
      const { image, pixel, ...evaluated } = evaluation.result();
      classes.push({ data, images, ...evaluated, curves: curvesOf({ image, pixel }), gap: gapOf(images, pixel) });
    }
  } finally {
    bar.end();
  }
  if (skipped.length === total)
    throw new InputError(`none of the ${total} test images of ${root} could be evaluated: ${skipped[0]!.reason}`);
  if (skipped.length > 0)
    say(
      `the figures are of ${total - skipped.length} of ${total} test images: ${skipped.length} could not be evaluated (--strict makes this an error)`,
    );
  const resampled = classes.flatMap(({ resampled }) => resampled ?? []);
  return {
    classes,
    mean: meanMetrics(classes.map(({ metrics }) => metrics)),
    intervals: resampled.length > 0 ? intervalsOf(meanResampled(resampled)) : null,
    seconds: (performance.now() - started) / 1000,
    skipped,
  };
}

type Read = { readonly item: Item; readonly image: Picture };

/** Decodes and inspects photographs. */
const inspectPhotographs = (detector: Detector, root: string, strict: boolean, region: Region | null): InspectItems =>
  async function* (items, onSkip) {
    const options = { strict, inParts: detector.config.input.tiles !== undefined };
    const read = readableImages(items, ({ path }) => join(root, path), options, onSkip);
    for await (const batch of batchesOf(read, imagesTogether(detector)))
      yield evaluateBatch(detector, root, batch, region);
  };

/** Inspects a few test images together. An image that fails has its error in place of the outcome. */
async function evaluateBatch(
  detector: Detector,
  root: string,
  batch: readonly Read[],
  region: Region | null,
): Promise<ItemOutcome[]> {
  const parts = await Promise.all(
    batch.map(({ item, image }) =>
      tried(() => region?.of(image, join(root, item.path), detector.config.input) ?? null),
    ),
  );
  const usable = batch.flatMap((read, i) =>
    parts[i] instanceof InputError ? [] : [{ ...read, region: parts[i] ?? null }],
  );
  const inspections = await detector.inspectEach(usable);
  const samples = new Map(usable.map((read, i) => [read.item, { ...read, inspection: inspections[i]! }]));
  return Promise.all(
    batch.map(async ({ item }, i) => {
      const found = samples.get(item);
      if (!found) return { item, outcome: parts[i] as InputError };
      return evaluateImage(detector, root, found, found.inspection);
    }),
  );
}

/** An inspected image with its masks, placed as the detector sees it. */
export async function evaluateImage(
  detector: Detector,
  root: string,
  { item, region = null }: { readonly item: Item; readonly region?: PictureRegion | null },
  inspection: Inspection | InspectionFailure,
): Promise<ItemOutcome> {
  if ("reason" in inspection) {
    process.exitCode = FAILED;
    return { item, outcome: new InputError(`${join(root, item.path)} cannot be inspected: ${inspection.reason}`) };
  }
  const { size } = inspection;
  const mask = await tried(() =>
    decodeMasks(
      item.masks.map((path) => join(root, path)),
      size.width,
      size.height,
      (picture) => detector.placementOf(picture, size),
    ),
  );
  if (mask instanceof InputError) return { item, outcome: mask };
  const outcome = scoredImage(inspection, { defective: item.defective, mask }, region);
  return { item: { ...item, defective: outcome.defective }, outcome };
}

/** Calls `f`; returns its result, or the InputError that it throws. */
async function tried<T>(f: () => T | Promise<T>): Promise<T | InputError> {
  try {
    return await f();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

const NO_CURVE: Curve = { x: new Float64Array(), y: new Float64Array() };

const curvesOf = ({ image, pixel }: Pick<Evaluated, "image" | "pixel">): ClassCurves => ({
  roc: rocCurve(image, CURVE_POINTS),
  pr: precisionRecallCurve(image, CURVE_POINTS),
  pixelRoc: pixel ? rocCurve(pixel, CURVE_POINTS) : NO_CURVE,
  pixelPr: pixel ? precisionRecallCurve(pixel, CURVE_POINTS) : NO_CURVE,
  pro: pixel ? proCurve(pixel, CURVE_POINTS) : NO_CURVE,
});

function gapOf(images: readonly EvaluatedImage[], pixel: Evaluated["pixel"]): string | null {
  const defective = images.filter(({ item }) => item.defective).length;
  if (images.length === 0) return "no test images, so nothing is measured";
  if (defective === 0) return "no defective test images, so nothing can be told apart";
  if (defective === images.length) return "no good test images, so image metrics are undefined";
  if (!pixel) return "no masks of its defects, so pixel metrics are undefined";
  return pixel.negatives === 0 ? "no good pixels, so pixel metrics are undefined" : null;
}

/** The name that a test image is shown under. */
export const shownName = ({ path }: Item): string => basename(path);
