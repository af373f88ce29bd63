import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { recogniseDataset, type Dataset, type Item, type Unreadable } from "../data/dataset.ts";
import type { FormatName } from "../data/layouts/layout.ts";
import { surveyDataset, type Survey } from "../data/survey.ts";
import { byCodeUnits, isClutter, within } from "../data/tree.ts";
import { requireUsable, type DecodedImage } from "../io/image.ts";
import type { TrainingImage } from "../models/training.ts";
import type { LabelledImage } from "../models/workflow.ts";
import { InputError } from "../runtime/errors.ts";
import { readText, reasonOf } from "./files.ts";
import { decodeImages, decodeMask } from "./images.ts";
import { pictureReader } from "./picture_reader.ts";

/**
 * Lists a folder's files and recognises its layout; no image is opened. Links are followed, but not in circles; hidden
 * files are left out; what cannot be listed is named in the result.
 * @param format the layout to read it as, instead of recognising it
 * @param needsGood whether every class must have good images to learn from
 * @throws InputError if the folder cannot be read, or holds no dataset (`recogniseDataset`)
 */
export async function readDataset(root: string, format?: FormatName, needsGood = true): Promise<Dataset> {
  const { files, unreadable } = await listFolder(root);
  const entries = { name: basename(resolve(root)), files, unreadable, readText: (path: string) => readText(join(root, path)) };
  return recogniseDataset(entries, format, needsGood);
}

/**
 * Lists the files in a folder at any depth, as `readDataset` does.
 * @returns paths relative to it, with forward slashes; `unreadable` in order of paths
 * @throws InputError if the folder itself cannot be read
 */
export async function listFolder(root: string): Promise<{ readonly files: readonly string[]; readonly unreadable: readonly Unreadable[] }> {
  const unreadableRoot = (error: unknown): never => {
    throw new InputError(`cannot read the folder ${root}: ${reasonOf(error)}`, { cause: error });
  };
  const found = await stat(root).catch(unreadableRoot);
  if (!found.isDirectory()) throw new InputError(`${root} is a file; a folder of images is needed`);
  await readdir(root).catch(unreadableRoot);
  const files: string[] = [];
  const unreadable: Unreadable[] = [];
  await listFiles(root, "", [], files, unreadable);
  unreadable.sort((a, b) => byCodeUnits(a.path, b.path));
  return { files, unreadable };
}

/**
 * Reads a dataset as `readDataset` does, and looks at every file: what the classes hold, and what looks wrong.
 * @throws InputError as `readDataset`
 */
export async function inspectDataset(root: string, format?: FormatName): Promise<{ readonly dataset: Dataset; readonly survey: Survey }> {
  const dataset = await readDataset(root, format);
  return { dataset, survey: await surveyDataset(dataset, pictureReader(root)) };
}

/**
 * A dataset's good images, decoded one after another: what `trainDetector` learns from.
 * @throws InputError at the first that cannot be read
 */
export async function* trainingImages(root: string, { classes }: Dataset): AsyncGenerator<TrainingImage> {
  for (const { name: className, train } of classes) {
    for await (const { image } of readable(root, train)) yield { className, image };
  }
}

/**
 * A dataset's test images with their labels and masks: what `evaluateDetector` measures on.
 * @throws InputError at the first that cannot be read
 */
export async function* testImages(root: string, { classes }: Dataset): AsyncGenerator<LabelledImage> {
  for (const { name: className, test } of classes) {
    for await (const { item, image } of readable(root, test)) {
      const masks = await Promise.all(item.masks.map((path) => decodeMask(join(root, path))));
      yield { className, image, defective: item.defective, masks };
    }
  }
}

async function* readable(root: string, items: readonly Item[]): AsyncGenerator<{ readonly item: Item; readonly image: DecodedImage }> {
  for await (const outcome of decodeImages(items, ({ path }) => join(root, path))) {
    if ("error" in outcome) throw outcome.error;
    requireUsable(outcome.image, outcome.item.path);
    yield outcome;
  }
}

/** @param above the real paths of the folders that this one was reached through: meeting one again is a circle */
async function listFiles(root: string, folder: string, above: readonly string[], files: string[], unreadable: Unreadable[]): Promise<void> {
  try {
    const real = await realpath(join(root, folder));
    if (above.includes(real)) return;
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    for (const entry of entries) {
      if (isClutter(entry.name)) continue;
      const path = within(folder, entry.name);
      const kind = entry.isSymbolicLink() ? await linkedKind(join(root, path)) : entry; // a look at each file would be slow
      if ("reason" in kind) unreadable.push({ path, reason: kind.reason });
      else if (kind.isDirectory()) await listFiles(root, path, [...above, real], files, unreadable);
      else if (kind.isFile()) files.push(path);
    }
  } catch (error) {
    unreadable.push({ path: folder, reason: reasonOf(error) });
  }
}

async function linkedKind(path: string): Promise<{ isDirectory(): boolean; isFile(): boolean } | { readonly reason: string }> {
  return stat(path).catch((error: NodeJS.ErrnoException) => ({ reason: error.code === "ENOENT" ? "a link to nowhere" : reasonOf(error) }));
}
