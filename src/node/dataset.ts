import { basename, join, resolve } from "node:path";
import { recogniseDataset, type Dataset, type DatasetOptions } from "../data/dataset.ts";
import { surveyDataset, type Survey, type SurveyOptions } from "../data/survey.ts";
import { requireUsable, type Picture } from "../io/image.ts";
import type { GoodImage } from "../detection/material.ts";
import type { LabelledImage } from "../detection/evaluation.ts";
import { InputError } from "../runtime/errors.ts";
import { readText } from "./files/read.ts";
import { listFolder } from "./files/folder_listing.ts";
import { decodeImages, decodeMask, openPictures } from "./images.ts";
import { pictureReader } from "./picture_reader.ts";

/**
 * Lists a folder's files (`listFolder`) and recognises its layout; no image is opened. What cannot be listed, and what
 * is left out, is named in the result.
 * @throws InputError if the folder cannot be read, or holds no dataset (`recogniseDataset`)
 */
export async function readDataset(root: string, options: DatasetOptions = {}): Promise<Dataset> {
  const listing = await listFolder(root);
  const pictures = pictureReader(root);
  const entries = {
    ...listing,
    name: basename(resolve(root)),
    readText: (path: string) => readText(join(root, path)),
    isBlack: async (path: string) => (await pictures.mask(path)).marked === 0,
  };
  return recogniseDataset(entries, options);
}

/**
 * Reads a dataset as `readDataset` does, and looks at every file: what the classes hold, and what looks wrong.
 * @throws InputError as `readDataset`; the signal's reason
 */
export async function inspectDataset(
  root: string,
  { signal, onProgress, ...options }: DatasetOptions & SurveyOptions = {},
): Promise<{ readonly dataset: Dataset; readonly survey: Survey }> {
  const dataset = await readDataset(root, options);
  return { dataset, survey: await surveyDataset(dataset, pictureReader(root), { signal, onProgress }) };
}

/** Options of reading images. */
export interface ReadImagesOptions {
  /**
   * True to have large images give parts of themselves, as `openPicture` does, for detectors with tiles. Each is closed
   * when the next is asked for. Default false.
   */
  readonly inParts?: boolean;
}

/**
 * A dataset's good images, decoded one after another: what `trainDetector` learns from. Their names are their paths.
 * @throws InputError at the first that cannot be read
 */
export async function* trainingImages(
  root: string,
  { classes }: Dataset,
  options: ReadImagesOptions = {},
): AsyncGenerator<GoodImage> {
  for (const { name: className, train } of classes) {
    for await (const { item, image } of usableImages(train, ({ path }) => join(root, path), options))
      yield { name: join(root, item.path), className, image };
  }
}

/**
 * A dataset's test images with their labels and masks: what `evaluateDetector` measures on.
 * @throws InputError at the first that cannot be read
 */
export async function* testImages(
  root: string,
  { classes }: Dataset,
  options: ReadImagesOptions = {},
): AsyncGenerator<LabelledImage> {
  for (const { name: className, test } of classes) {
    for await (const { item, image } of usableImages(test, ({ path }) => join(root, path), options)) {
      const masks = await Promise.all(item.masks.map((path) => decodeMask(join(root, path))));
      yield { className, image, defective: item.defective, masks };
    }
  }
}

/**
 * Decodes images in order, those that can be read and are large enough.
 * @param onUnusable called for each other one. Default: its error is thrown
 */
export async function* usableImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  { inParts = false }: ReadImagesOptions = {},
  onUnusable: (item: T, error: InputError) => void = (_, error) => {
    throw error;
  },
): AsyncGenerator<{ readonly item: T; readonly image: Picture }> {
  const outcomes = inParts ? openPictures(items, pathOf) : decodeImages(items, pathOf);
  for await (const outcome of outcomes) {
    try {
      if ("error" in outcome) throw outcome.error;
      requireUsable(outcome.image, pathOf(outcome.item));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      onUnusable(outcome.item, error);
      continue;
    }
    yield outcome;
  }
}
