import { TooLargeError } from "../../runtime/errors.ts";
import type { Fit, FitInput, StagePlan } from "../method.ts";
import { Coreset, planCoreset } from "../parts/coreset.ts";
import type { PatchCoreConfig } from "./config.ts";
import { PatchCoreModel } from "./model.ts";
import type { PatchCoreSettings } from "./options.ts";

const TITLES = { bank: "Stage 1, memory bank", coreset: "Stage 2, coreset" };

/** The stages of a fit to so many images. */
export const planOf = (
  { rows }: PatchCoreConfig,
  { batch }: Pick<PatchCoreSettings, "batch">,
  images: number,
): readonly StagePlan[] => planCoreset(rows, batch, images);

/** The memory bank of a model. */
export class PatchCoreFit extends Coreset implements Fit {
  readonly model: PatchCoreModel;

  /** @throws TooLargeError where the cells of all images are more than a dispatch can see */
  constructor(
    config: PatchCoreConfig,
    { batch, projection }: PatchCoreSettings,
    { weights, features, seed }: FitInput,
  ) {
    requireSeen(config, features.count, weights.device.maxBindingBytes);
    const model = new PatchCoreModel(weights, config);
    super(model.bank.rows, features, seed, {
      owner: "patchcore",
      cellsOfImage: config.height * config.width,
      projection,
      batch,
      titles: TITLES,
    });
    this.model = model;
  }
}

/** @throws TooLargeError where the cells of so many images are more than a dispatch can see */
function requireSeen({ height, width, channels }: PatchCoreConfig, images: number, most: number): void {
  const bytesOfImage = 4 * height * width * channels;
  if (images * bytesOfImage <= most) return;
  const limit = `the ${most} bytes that a dispatch can see on this device`;
  throw new TooLargeError(
    `patchcore: the cells of ${images} images take ${images * bytesOfImage} bytes, more than ${limit}; train on ${Math.floor(most / bytesOfImage)} images, or tiles, at most`,
  );
}
