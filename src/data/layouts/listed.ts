import type { DatasetClass, Item, SkippedPath } from "../item.ts";
import { byCodeUnits, type FileTree } from "../tree.ts";
import { defectItem, goodItem } from "./by_folders.ts";
import type { Reading } from "./layout.ts";

/** One line of a list that labels images. Paths are relative to the root. */
export interface Entry {
  readonly className: string;
  readonly training: boolean;
  readonly image: string;
  /** null for a good image. */
  readonly defect: string | null;
  readonly mask: string | null;
}

/**
 * Builds classes from a list, each image once: the first line places it, the masks of all its lines count. A defective
 * image to train on is not a good one and is left aside.
 * @param list its name, to report files that it names and that do not exist
 * @param masks images in a place for masks
 */
export function readEntries(
  tree: FileTree,
  entries: readonly Entry[],
  list: (entry: Entry) => string,
  masks: readonly string[],
): Reading {
  const classes = new Map<string, Entry[]>();
  const missing = new Map<string, string>();
  const repeated: SkippedPath[] = [];
  const located = (path: string, entry: Entry): string | null => {
    const found = tree.locate(path);
    if (found === null)
      missing.set(path, `${list(entry)} names it, but it is not there${FOREIGN.test(path) ? FOREIGN_REMEDY : ""}`);
    return found;
  };
  const first = new Map<string, Entry & { readonly masks: Set<string> }>();
  for (const entry of entries) {
    const members = classes.get(entry.className) ?? [];
    classes.set(entry.className, members);
    const image = located(entry.image, entry);
    if (image === null) continue;
    const mask = entry.mask === null || entry.defect === null || entry.training ? null : located(entry.mask, entry);
    const known = first.get(image);
    if (known) {
      if (known.masks.size > 0 && mask !== null && !known.masks.has(mask))
        known.masks.add(mask); // an image has one line for each of its masks
      else repeated.push({ path: image, reason: difference(known, entry, list) });
      continue;
    }
    const placed = { ...entry, image, masks: new Set(mask === null ? [] : [mask]) };
    first.set(image, placed);
    members.push(placed);
  }
  const sorted = [...classes].sort(([a], [b]) => byCodeUnits(a, b));
  const itemOf = ({ image, defect }: Entry): Item =>
    defect === null ? goodItem(image) : defectItem(image, defect, [...first.get(image)!.masks]);
  return {
    classes: sorted.map(([name, members]): DatasetClass => {
      const inOrder = members.sort((a, b) => byCodeUnits(a.image, b.image));
      return {
        name,
        train: inOrder.filter(({ training, defect }) => training && defect === null).map(itemOf),
        test: inOrder.filter(({ training }) => !training).map(itemOf),
      };
    }),
    masks,
    aside: [...first.values()].filter(({ training, defect }) => training && defect !== null).map(({ image }) => image),
    missing: [...missing].map(([path, reason]) => ({ path, reason })),
    companions: [],
    twins: [],
    repeated,
  };
}

const FOREIGN = /^[a-z]:|^[\\/]/i; // absolute paths, from another machine
const FOREIGN_REMEDY = "; paths in it are relative to the folder of the dataset";

/** Describes how a further line about an image differs from its first. */
function difference(first: Entry, other: Entry, list: (entry: Entry) => string): string {
  const words = ({ className, training, defect }: Entry): string =>
    `${className}, to ${training ? "train on" : "test"}, ${defect === null ? "good" : defect}`;
  const [kept, dropped] = [words(first), words(other)];
  return kept === dropped
    ? `${list(other)} names it more than once`
    : `named more than once, and taken as ${kept}, not as ${dropped}`;
}
