import type { DatasetClass, Item, Unreadable } from "../item.ts";
import { byCodeUnits, type FileTree } from "../tree.ts";
import { defectItem, goodItem } from "./folders.ts";
import type { Reading } from "./layout.ts";

/** One line of a list that says what each image is. Paths are relative to the root. */
export interface Entry {
  readonly className: string;
  readonly training: boolean;
  readonly image: string;
  /** null for a good image. */
  readonly defect: string | null;
  readonly mask: string | null;
}

/**
 * Classes as a list has them. A defective image to train on is no good one, and is left alone.
 * @param list its name, for what it names and is not there
 * @param masks images that are masks by their place
 */
export function readEntries(tree: FileTree, entries: readonly Entry[], list: (entry: Entry) => string, masks: readonly string[]): Reading {
  const classes = new Map<string, { train: Item[]; test: Item[] }>();
  const missing: Unreadable[] = [];
  const aside: string[] = [];
  const isThere = (path: string, entry: Entry): boolean => {
    if (tree.has(path)) return true;
    missing.push({ path, reason: `${list(entry)} names it, but it is not there` });
    return false;
  };
  for (const entry of entries) {
    const found = classes.get(entry.className) ?? { train: [], test: [] };
    classes.set(entry.className, found);
    if (!isThere(entry.image, entry)) continue;
    if (entry.training) {
      if (entry.defect === null) found.train.push(goodItem(entry.image));
      else aside.push(entry.image);
    } else if (entry.defect === null) {
      found.test.push(goodItem(entry.image));
    } else {
      found.test.push(defectItem(entry.image, entry.defect, entry.mask !== null && isThere(entry.mask, entry) ? [entry.mask] : []));
    }
  }
  const byPath = (items: readonly Item[]): Item[] => [...items].sort((a, b) => byCodeUnits(a.path, b.path));
  const sorted = [...classes].sort(([a], [b]) => byCodeUnits(a, b));
  return {
    classes: sorted.map(([name, { train, test }]): DatasetClass => ({ name, train: byPath(train), test: byPath(test) })),
    masks,
    aside,
    missing,
  };
}
