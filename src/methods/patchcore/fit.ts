import { TooLargeError } from "../../runtime/errors.ts";
import type { Fit, FitInput, StagePlan } from "../method.ts";
import { Coreset, planCoreset } from "../parts/coreset.ts";
import { readConfig, type PatchCoreConfig } from "./config.ts";
import { PatchCoreModel } from "./model.ts";
import type { PatchCoreSettings } from "./options.ts";

const TITLES = { bank: "Stage 1, memory bank", coreset: "Stage 2, coreset" };

/** The stages of a fit to so many images, which may add to a bank. */
export const planOf = (
  { rows }: PatchCoreConfig,
  { batch }: Pick<PatchCoreSettings, "batch">,
  images: number,
  before: PatchCoreConfig | null = null,
): readonly StagePlan[] => planCoreset(rows, batch, images, before?.rows);

/** The memory bank of a model: chosen anew, or with further rows behind those of another model. */
export class PatchCoreFit extends Coreset implements Fit {
  readonly model: PatchCoreModel;

  /** @throws TooLargeError where the cells of all images are more than a dispatch can see */
  constructor(
    config: PatchCoreConfig,
    { batch, projection }: PatchCoreSettings,
    { weights, features, seed, before = null }: FitInput,
  ) {
    const kept = before === null ? 0 : readConfig(before).rows;
    requireSeen(config, features.count, kept, weights.device.maxBindingBytes);
    const model = new PatchCoreModel(weights, config);
    super(model.bank.rows, features, seed, {
      owner: "patchcore",
      cellsOfImage: config.height * config.width,
      kept,
      projection,
      batch,
      titles: TITLES,
    });
    this.model = model;
  }
}

/** @throws TooLargeError where the cells of so many images, and the rows kept, are more than a dispatch can see */
function requireSeen({ height, width, channels }: PatchCoreConfig, images: number, kept: number, most: number): void {
  const bytesOfRow = 4 * channels;
  const bytesOfImage = height * width * bytesOfRow;
  const bytes = images * bytesOfImage + kept * bytesOfRow;
  if (bytes <= most) return;
  const limit = `the ${most} bytes that a dispatch can see on this device`;
  const rows = kept === 0 ? "" : ` and ${kept} rows`;
  throw new TooLargeError(
    `patchcore: the cells of ${images} images${rows} take ${bytes} bytes, more than ${limit}; train on ${Math.max(0, Math.floor((most - kept * bytesOfRow) / bytesOfImage))} images, or tiles, at most`,
  );
}
