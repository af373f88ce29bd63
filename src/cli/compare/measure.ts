import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset } from "../../data/dataset.ts";
import { calibratedScore, goodScoresOf } from "../../detection/calibration.ts";
import type { Detector } from "../../detection/detector.ts";
import { imagesTogether } from "../../detection/evaluation.ts";
import type { InputImage } from "../../detection/inspection.ts";
import { estimateMemory } from "../../detection/memory_estimate.ts";
import type { Region } from "../../detection/region.ts";
import { closePicture } from "../../io/image.ts";
import { decodeImage, openPicture } from "../../node/images.ts";
import type { Device } from "../../runtime/device.ts";
import type { EvaluatedClass } from "../evaluate/evaluated.ts";
import { packResampled, type MeasuredClass, type MeasuredMemory } from "./results.ts";
import type { Planned } from "./stored_features.ts";

// Batches that are timed: for so long, and so many, after one that compiles.
const [LEAST_SECONDS, LEAST_BATCHES, MOST_BATCHES] = [1, 3, 100];

/** The results of a class as they are kept. */
export function measuredClass(detector: Detector, evaluated: EvaluatedClass): MeasuredClass {
  const { data, metrics, resampled, errors, gap, images } = evaluated;
  const good = goodScoresOf(detector.config.calibration, data.name);
  return {
    name: data.name,
    metrics,
    resampled: resampled && packResampled(resampled),
    gap,
    error: Math.max(...Object.values(errors).map((error) => error ?? 0)),
    images: images.map(({ item: { path, defect, defective }, score }) => ({
      path,
      defect,
      defective,
      score: calibratedScore(score, good),
    })),
  };
}

/**
 * Photographs that a detector inspects in a second, in batches as `eval` has them: backbone, model and reading the maps
 * back, once they are decoded. The fastest batch counts: whatever else the machine does only takes time away.
 * @param requireGoingOn called before each batch
 */
export async function imagesPerSecond(
  detector: Detector,
  root: string,
  { classes }: Dataset,
  region: Region | null,
  requireGoingOn: () => void,
): Promise<number> {
  const items = classes.flatMap(({ test }) => test).slice(0, imagesTogether(detector));
  const images: Required<InputImage>[] = [];
  const open = detector.config.input.tiles ? openPicture : decodeImage;
  try {
    for (const { path } of items) {
      const image = await open(join(root, path));
      images.push({ image, region: region?.of(image, path, detector.config.input) ?? null });
    }
    await detector.inspectEach(images);
    const began = performance.now();
    const seconds: number[] = [];
    const isEnough = (): boolean =>
      seconds.length >= LEAST_BATCHES && performance.now() - began >= 1000 * LEAST_SECONDS;
    while (!isEnough() && seconds.length < MOST_BATCHES) {
      requireGoingOn();
      const started = performance.now();
      await detector.inspectEach(images);
      seconds.push((performance.now() - started) / 1000);
    }
    return images.length / Math.min(...seconds);
  } finally {
    for (const { image } of images) await closePicture(image);
  }
}

/** Peak bytes of GPU buffers: to train on so many images, with their features, and to inspect one at a time. */
export async function measureMemory(
  device: Device,
  { model, settings: { featureBudget } }: Planned,
): Promise<MeasuredMemory> {
  const { training, inference } = await estimateMemory(device, model, { batch: 1 });
  const features = Math.min(training.images * training.featureBytes, featureBudget);
  return { training: training.bytes + features, inference: inference.bytes };
}

/** Bytes of a file. */
export const bytesOfFile = async (path: string): Promise<number> => (await stat(path)).size;
