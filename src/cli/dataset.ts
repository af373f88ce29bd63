import { join } from "node:path";
import { Option, type Command } from "commander";
import type { Dataset } from "../data/dataset.ts";
import { layoutFindings, leftOut } from "../data/layout_findings.ts";
import { FORMATS, type FormatName } from "../data/layouts/layout.ts";
import { narrowRange } from "../data/sample_range.ts";
import { suchAs } from "../data/tree.ts";
import type { DetectorInput } from "../detection/input.ts";
import type { GoodImage } from "../detection/material.ts";
import type { Region } from "../detection/region.ts";
import type { Picture } from "../io/image.ts";
import { readDataset, usableImages } from "../node/dataset.ts";
import { InputError } from "../runtime/errors.ts";
import { say } from "./terminal/say.ts";

export const DATASET_HELP =
  'a folder of good images, or a dataset of a known layout ("bigrid inspect DIR" says how it is understood)';

export function addFormatFlag(command: Command): Command {
  return command.addOption(
    new Option("--format <name>", "layout of the dataset (default: the one that it looks like)").choices(FORMATS),
  );
}

/**
 * Reads a dataset's folders for a command that goes on to its images; says what cannot be listed, what is left out, and
 * what is doubtful about the layout.
 * @throws InputError as `readDataset`; at the first thing that cannot be listed if `strict`
 */
export async function openDataset(
  root: string,
  format: FormatName | undefined,
  strict: boolean,
  needsGood = true,
): Promise<Dataset> {
  const dataset = await readDataset(root, { format, needsGood });
  for (const { path, reason } of dataset.unreadable) {
    if (strict) throw new InputError(`cannot read ${root}/${path}: ${reason}`);
    say(`skipped: cannot read ${root}/${path}: ${reason}`);
  }
  const doubts = layoutFindings(dataset).filter((found) => found?.severity === "problem");
  for (const found of [...leftOut(dataset), ...doubts])
    if (found) say(`${found.message} (${suchAs(found.paths)}): ${found.advice}`);
  return dataset;
}

/** Options of reading images for a command. */
export interface ReadableOptions {
  /** True to fail at the first image that cannot be read. */
  readonly strict: boolean;
  /** True for large images to give parts of themselves. */
  readonly inParts: boolean;
}

/**
 * Decodes images in order, leaving out those that cannot be read or are too small; says which and how many, and whether
 * 16-bit images use but a part of their range.
 * @throws InputError at the first such image if `strict`
 */
export async function* readableImages<T>(
  items: readonly T[],
  pathOf: (item: T) => string,
  { strict, inParts }: ReadableOptions,
  onSkip: (item: T, error: Error) => void = () => undefined,
): AsyncGenerator<{ readonly item: T; readonly image: Picture }> {
  let skipped = 0;
  const highs: number[] = [];
  const usable = usableImages(items, pathOf, { inParts }, (item, error) => {
    if (strict) throw error;
    skipped++;
    onSkip(item, error);
    say(`skipped: ${error.message}`);
  });
  for await (const read of usable) {
    if (read.image.sampleHigh !== undefined) highs.push(read.image.sampleHigh);
    yield read;
  }
  const narrow = narrowRange(highs);
  if (narrow) say(`${narrow.message} ${narrow.advice}`);
  if (skipped > 0)
    say(`skipped ${skipped} of ${items.length} images that cannot be used (--strict makes this an error)`);
}

/** The way in which a dataset's good images are read. */
export interface GoodImageOptions {
  /** True to fail at the first image that cannot be read. */
  readonly strict: boolean;
  /** The part of each image that counts; null where all does. */
  readonly region: Region | null;
  /** The way in which the detector takes images. */
  readonly input: DetectorInput;
}

/** Decodes a dataset's good images in order, as `readableImages`; their names are their paths. */
export async function* goodImages(
  root: string,
  { classes }: Dataset,
  { strict, region, input }: GoodImageOptions,
): AsyncGenerator<GoodImage> {
  const items = classes.flatMap(({ name, train }) =>
    train.map(({ path }) => ({ name: join(root, path), className: name })),
  );
  const options = { strict, inParts: input.tiles !== undefined };
  for await (const { item, image } of readableImages(items, ({ name }) => name, options))
    yield { ...item, image, region: region?.of(image, item.name, input) ?? null };
}
