import type { Device } from "../runtime/device.ts";
import { Material, type Suspect } from "./material.ts";
import type { Unlikeness } from "./suspects.ts";
import { resolveTraining, type TrainingOptions } from "./training_options.ts";
import type { TrainingImage } from "./views.ts";

/** Options of a search for suspects: those of a training that say how features are made. */
export type SuspectOptions = Pick<
  TrainingOptions,
  "backbone" | "weights" | "stages" | "padding" | "inputSize" | "resize" | "featureBudget" | "spill" | "signal"
> & {
  /** Called after each image that is read, then after each that is compared. */
  readonly onProgress?: ((progress: SuspectProgress) => void) | undefined;
};

/** Progress of a search for suspects. */
export type SuspectProgress =
  | { readonly phase: "features"; readonly done: number }
  | { readonly phase: "suspects"; readonly done: number; readonly total: number };

/** A good image, and how unlike the others of its class it is. */
export interface RankedImage extends Suspect {
  /** Its number among the images that were given, from 0. */
  readonly index: number;
  /** Distances of its cells, in the same units as `ratio`, row by row; `side` cells to a side. */
  readonly cells: Unlikeness["cells"];
  readonly side: number;
}

/**
 * Ranks good images by how unlike the others of their class they are: defective ones among them come first. An image is
 * as far from the others as its strangest cells are from cells of other images.
 *
 * @param images good images of one class or several, read once, in order
 * @returns all of them, the least like the others first
 * @throws as `Training.begin`, for images, weights and options; the signal's reason. Nothing is left on the device then
 */
export async function findSuspects(
  device: Device,
  images: AsyncIterable<TrainingImage>,
  { onProgress = () => undefined, ...options }: SuspectOptions = {},
): Promise<RankedImage[]> {
  const settings = await resolveTraining({
    ...options,
    method: "patchcore",
    onProgress: (progress) => {
      if (progress.phase === "features") onProgress(progress);
    },
  });
  const material = await Material.read(device, settings, images);
  try {
    const total = material.samples.length;
    const unlikeness = await material.compare((done) => {
      onProgress({ phase: "suspects", done, total });
      settings.signal?.throwIfAborted();
    });
    const { height: side } = material.extractor.maker.extents;
    const numbers = new Map(material.samples.map((sample, i) => [sample, i]));
    return [...unlikeness]
      .map(([sample, { ratio, cells }]) => ({
        index: numbers.get(sample)!,
        name: sample.name,
        className: sample.className,
        ratio,
        cells,
        side,
      }))
      .sort((a, b) => b.ratio - a.ratio);
  } finally {
    material.release();
  }
}
