// Trainings on some of a dataset's good images, measured on its test images, from features that are computed once.
import { join } from "node:path";
import type { DatasetClass } from "../../src/data/dataset.ts";
import { evaluate } from "../../src/metrics/evaluate.ts";
import { meanMetrics, type Metrics } from "../../src/metrics/metrics.ts";
import type { Detector } from "../../src/detection/detector.ts";
import type { FeatureInspection } from "../../src/detection/inspection.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { trainDetector } from "../../src/detection/train_detector.ts";
import { resolveTraining, type TrainingOptions } from "../../src/detection/training_options.ts";
import { readDataset } from "../../src/node/dataset.ts";
import type { Device } from "../../src/runtime/device.ts";
import { RandomStream } from "../../src/tensor/random.ts";
import { fromArray, release } from "../../src/tensor/tensor.ts";
import { featuresOf, type FeatureSet, type TestImage } from "./features.ts";
import type { Scored } from "./nearest.ts";

/** A dataset of one class, with the features of all its images. */
export interface Subject {
  readonly name: string;
  readonly set: FeatureSet;
  /** Paths of the good images to learn from. */
  readonly train: readonly string[];
}

const OPTIONS = { method: "patchcore", folds: 0 } as const satisfies TrainingOptions;

/** Reads a dataset, and computes the features of PatchCore that are not in the folder yet. */
export async function readSubject(device: Device, root: string, folder: string): Promise<Subject> {
  const set = await featuresOf(device, root, OPTIONS, await resolveTraining(OPTIONS), folder);
  const [{ name, train }] = (await readDataset(root)).classes as readonly [DatasetClass];
  return { name, set, train: train.map(({ path }) => join(root, path)) };
}

/** So many of some, drawn at random, in their order. */
export const drawn = <T>(items: readonly T[], count: number, seed: number): T[] =>
  new RandomStream(seed, 1)
    .permutation(items.length)
    .slice(0, count)
    .sort((a, b) => a - b)
    .map((i) => items[i]!);

/** Metrics on test images of a detector that is trained on good images. */
export async function measure(
  device: Device,
  set: FeatureSet,
  good: AsyncIterable<TrainingImage>,
  options: TrainingOptions,
  test: readonly TestImage[],
): Promise<Metrics> {
  const detector = await trainDetector(device, good, { ...OPTIONS, ...options });
  const scored = await scoredBy(detector, set, test);
  detector.release();
  return meanMetrics([evaluate(scored)]);
}

/** Scores of test images by a detector. */
export async function scoredBy(
  detector: Detector,
  { cells, channels, size }: FeatureSet,
  test: readonly TestImage[],
): Promise<Scored[]> {
  const scored: Scored[] = [];
  for (const { path, defective, features, mask } of test) {
    const tensor = fromArray(detector.device, [1, cells, cells, channels], features);
    const [{ score, peak, map, calibrated }] = (await detector.inspectFeatures(tensor)) as [FeatureInspection];
    release(tensor);
    const isRejected = calibrated >= AT_THRESHOLD;
    scored.push({ path, defective, score, peak, map, isRejected, mask, width: size, height: size });
  }
  return scored;
}

const AT_THRESHOLD = 0.5; // a calibrated score
