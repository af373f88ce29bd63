import { InputError } from "../../runtime/errors.ts";
import type { DatasetClass, Item } from "../item.ts";
import { baseOf, stemOf, type FileTree } from "../tree.ts";
import type { Reading } from "./layout.ts";

// What the layouts share that tell good from defective by folders: train/<good>, test/<good or defect>, ground_truth/<defect>.

const TRAIN = ["train"];
const TEST = ["test"];

/** Names of folders, in lower case. */
export interface FolderNames {
  readonly good: readonly string[];
  readonly masks: readonly string[];
}

export interface ClassReading {
  readonly found: DatasetClass;
  readonly masks: readonly string[];
}

export const trainFolder = (tree: FileTree, folder: string): string | null => tree.find(folder, TRAIN);

export const testFolder = (tree: FileTree, folder: string): string | null => tree.find(folder, TEST);

/** The folders of a set's classes: those with `train` or `test` in them; the root itself, "", if it has them. */
export function classFolders(tree: FileTree): readonly string[] {
  const isClass = (folder: string): boolean => trainFolder(tree, folder) !== null || testFolder(tree, folder) !== null;
  return isClass("") ? [""] : tree.folders("").filter(isClass);
}

export const className = (tree: FileTree, folder: string): string => (folder === "" ? tree.name : folder);

/** Whether a class has `train/<good>`. */
export function hasTrainGood(tree: FileTree, folder: string, good: readonly string[]): boolean {
  const train = trainFolder(tree, folder);
  return train !== null && tree.find(train, good) !== null;
}

/** Every class by `train/<good>`, `test/<good or defect>` and masks. */
export function readFolders(tree: FileTree, names: FolderNames): Reading {
  return readingOf(classFolders(tree).map((folder) => {
    const train = trainFolder(tree, folder);
    const good = train === null ? null : tree.find(train, names.good);
    return readClass(tree, folder, good === null ? [] : tree.below(good), names);
  }));
}

/** Classes that nothing was left aside or missed of. */
export const readingOf = (classes: readonly ClassReading[]): Reading =>
  ({ classes: classes.map(({ found }) => found), masks: classes.flatMap(({ masks }) => masks), aside: [], missing: [] });

/**
 * One class: the given good images, and what `test` and the folder of masks hold.
 * @throws InputError for a test image that lies in no folder, since that says what it is
 */
export function readClass(tree: FileTree, folder: string, good: readonly string[], names: FolderNames): ClassReading {
  const maskFolder = tree.find(folder, names.masks);
  const masks = maskFolder === null ? [] : tree.below(maskFolder);
  const masksOf = maskFolder === null ? () => [] : maskFinder(masks, maskFolder);
  const test = testFolder(tree, folder);
  const items = (test === null ? [] : tree.below(test)).map((path): Item => {
    const below = path.slice(test!.length + 1);
    if (!below.includes("/")) {
      throw new InputError(
        `${className(tree, folder)}: ${path} is neither good nor defective; `
          + `test images belong in ${test}/${names.good[0]} or ${test}/<defect>`,
      );
    }
    const kind = below.slice(0, below.indexOf("/"));
    return names.good.includes(kind.toLowerCase()) ? goodItem(path) : defectItem(path, kind, masksOf(stemOf(below)));
  });
  return { found: { name: className(tree, folder), train: good.map(goodItem), test: items }, masks };
}

/** Masks by the stem of the image they belong to: named as it, or with `_mask` after it, or in a folder of its name. */
function maskFinder(masks: readonly string[], folder: string): (stem: string) => readonly string[] {
  const found = new Map<string, string[]>();
  const add = (stem: string, path: string): void => {
    const known = found.get(stem);
    if (known) known.push(path);
    else found.set(stem, [path]);
  };
  for (const path of masks) {
    const stem = stemOf(path.slice(folder.length + 1));
    add(stem, path);
    if (stem.endsWith("_mask")) add(stem.slice(0, -"_mask".length), path);
    if (stem.includes("/")) add(stem.slice(0, stem.length - baseOf(stem).length - 1), path);
  }
  return (stem) => found.get(stem) ?? [];
}

export const goodItem = (path: string): Item => ({ path, defective: false, defect: "good", masks: [] });

export const defectItem = (path: string, defect: string, masks: readonly string[]): Item => ({ path, defective: true, defect, masks });
