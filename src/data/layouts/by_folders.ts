import { InputError } from "../../runtime/errors.ts";
import type { DatasetClass, Item } from "../item.ts";
import { isGoodName } from "../names.ts";
import { baseOf, folded, grouped, images, stemOf, uniqueBy, within, type FileTree } from "../tree.ts";
import { divide, maskedStem, shownMask, type Divided } from "./companions.ts";
import type { Reading } from "./layout.ts";

// Shared by layouts that separate good and defective images by folders: train/<good>, test/<good or defect>,
// ground_truth/<defect>.

/** Names of folders with training images. */
export const TRAIN: readonly string[] = ["train", "training", "train_set", "trainset"];
/** Names of folders with test images. */
export const TEST: readonly string[] = ["test", "testing", "test_set", "testset", "test_public"];
/** Names of folders with masks. */
export const MASKS: readonly string[] = [
  "ground_truth",
  "groundtruth",
  "ground-truth",
  "ground truth",
  "gt",
  "masks",
  "mask",
];
// further folders that are published beside train and test
const ASIDE = ["validation", "val", "valid", "test_private", "test_private_mixed"];

/** The contents of one class. */
export interface ClassReading extends Pick<Reading, "masks" | "companions" | "twins"> {
  readonly found: DatasetClass;
}

export const trainFolder = (tree: FileTree, folder: string): string | null => tree.find(folder, TRAIN);

export const testFolder = (tree: FileTree, folder: string): string | null => tree.find(folder, TEST);

/** The folders of a set's classes: those that contain `train` or `test`; the root itself, "", if it does. */
export function classFolders(tree: FileTree): readonly string[] {
  const isClass = (folder: string): boolean => trainFolder(tree, folder) !== null || testFolder(tree, folder) !== null;
  return isClass("") ? [""] : tree.folders("").filter(isClass);
}

export const className = (tree: FileTree, folder: string): string => (folder === "" ? tree.name : folder);

/** The subfolders whose names say that they hold good images. */
export const goodFolders = (tree: FileTree, folder: string): readonly string[] =>
  tree
    .folders(folder)
    .filter(isGoodName)
    .map((name) => within(folder, name));

/** The folders of good images in a class's `train`. */
export function trainGoodFolders(tree: FileTree, folder: string): readonly string[] {
  const train = trainFolder(tree, folder);
  return train === null ? [] : goodFolders(tree, train);
}

/** The images of a class that are for purposes other than training and testing. */
export const asideImages = (tree: FileTree, folder: string): readonly string[] =>
  tree
    .folders(folder)
    .filter((name) => ASIDE.includes(folded(name)))
    .flatMap((name) => tree.below(within(folder, name)));

/** Reads every class from `train/<good>`, `test/<good or defect>` and masks. */
export function readFolders(tree: FileTree): Reading {
  const folders = classFolders(tree);
  return {
    ...readingOf(folders.map((folder) => readClass(tree, folder, trainGoodFolders(tree, folder)))),
    aside: folders.flatMap((folder) => asideImages(tree, folder)),
  };
}

/** A reading of classes without left-out or missing files. */
export const readingOf = (classes: readonly ClassReading[]): Reading => ({
  classes: classes.map(({ found }) => found),
  masks: classes.flatMap(({ masks }) => masks),
  companions: classes.flatMap(({ companions }) => companions),
  twins: classes.flatMap(({ twins }) => twins),
  aside: [],
  missing: [],
  repeated: [],
});

/**
 * Reads one class: good images, and the contents of `test` and of the folder of masks.
 * @param good folders of good images to train on
 * @param imagesOf the images of such a folder
 * @throws InputError for a test image in no subfolder, since only a subfolder tells its kind; for training images that
 *   have masks beside them, unless their folder says that they are good
 */
export function readClass(
  tree: FileTree,
  folder: string,
  good: readonly string[],
  imagesOf = (place: string) => tree.below(place),
): ClassReading {
  const test = testFolder(tree, folder);
  const maskFolders = [folder, ...(test === null ? [] : [test])].flatMap((place) => tree.find(place, MASKS) ?? []);
  const masks = maskFolders.flatMap((place) => tree.below(place));
  const learnt = good.map((place) => {
    const divided = divide(imagesOf(place), place, isGoodName(baseOf(place)));
    const unclear = divided.masks.filter((mask) => !isGoodName(baseOf(place)) || isTwin(mask));
    if (unclear.length > 0) throw unclearError(tree, folder, unclear);
    return divided;
  });
  const kinds = test === null ? [] : kindsIn(tree, folder, test, maskFolders);
  const stemOfTest = (path: string): string => stemOf(path.slice(test!.length + 1));
  const masksOf = maskFinder(
    masks,
    maskFolders,
    kinds.flatMap(({ photographs }) => photographs.map(stemOfTest)),
  );
  const besideOf = grouped(
    kinds.flatMap((kind) => kind.masks),
    ([, photograph]) => photograph ?? "",
  );
  const masksOfGood: string[] = [];
  const items = kinds.flatMap(({ kind, photographs }) =>
    photographs.map((path): Item => {
      const own = [...masksOf(stemOfTest(path)), ...(besideOf.get(path) ?? []).map(([mask]) => mask)];
      if (!isGoodName(kind)) return defectItem(path, kind, own);
      masksOfGood.push(...own);
      return goodItem(path);
    }),
  );
  return {
    found: {
      name: className(tree, folder),
      train: learnt.flatMap(({ photographs }) => photographs.map(goodItem)),
      test: items,
    },
    masks: [...masks, ...kinds.flatMap((kind) => kind.masks.map(([mask]) => mask))],
    companions: [
      ...masksOfGood,
      ...learnt.flatMap((own) => own.masks.map(([mask]) => mask)),
      ...[...learnt, ...kinds].flatMap(({ others }) => others),
    ],
    twins: [...learnt, ...kinds].flatMap(({ twins }) => twins),
  };
}

/** True if a mask and its photograph differ only in their extension, so that names do not tell which is which. */
const isTwin = ([mask, photograph]: readonly [string, string | null]): boolean =>
  photograph !== null && folded(stemOf(mask)) === folded(stemOf(photograph));

/** Groups test images by the folder that names their kind. */
function kindsIn(
  tree: FileTree,
  folder: string,
  test: string,
  maskFolders: readonly string[],
): readonly (Divided & { readonly kind: string })[] {
  const paths = tree.below(test).filter((path) => !maskFolders.some((place) => path.startsWith(`${place}/`)));
  const kinds = grouped(paths, (path) => {
    const below = path.slice(test.length + 1);
    if (below.includes("/")) return below.slice(0, below.indexOf("/"));
    throw new InputError(
      `${className(tree, folder)}: ${path} is neither good nor defective; ` +
        `test images belong in ${test}/good or ${test}/<defect>`,
    );
  });
  return [...kinds].map(([kind, own]) => ({ kind, ...divide(own, `${test}/${kind}`, true) }));
}

/** The error for training images that have masks: it is unclear if they are good. */
export const unclearError = (
  tree: FileTree,
  folder: string,
  masks: readonly (readonly [string, string | null])[],
): InputError =>
  new InputError(
    `${className(tree, folder)}: ${images(masks.length)} among the training images ` +
      `look like masks by their names (such as ${shownMask(masks[0]!)}), ` +
      "and images with masks may be defective; " +
      "good images belong in train/good, others in test/<defect>, masks in ground_truth/<defect>; " +
      "rename the files if they are photographs",
  );

/**
 * Finds masks by the stem of their image: the same stem, one with a word such as `_mask`, or any name in a folder of
 * that name. Case and Unicode form may differ if no other image has that name.
 */
function maskFinder(
  masks: readonly string[],
  folders: readonly string[],
  stems: readonly string[],
): (stem: string) => readonly string[] {
  const known = new Set(stems);
  const byFolded = uniqueBy(stems, folded);
  const found = new Map<string, string[]>();
  const add = (named: string, path: string): void => {
    const stem = known.has(named) ? named : byFolded.get(folded(named));
    if (stem === undefined || stem === null) return;
    const own = found.get(stem);
    if (!own) found.set(stem, [path]);
    else if (!own.includes(path)) own.push(path);
  };
  for (const path of masks) {
    const folder = folders.find((place) => path.startsWith(`${place}/`))!;
    const stem = stemOf(path.slice(folder.length + 1));
    add(stem, path);
    const base = maskedStem(stem);
    if (base !== null) add(base, path);
    if (stem.includes("/")) add(stem.slice(0, stem.length - baseOf(stem).length - 1), path);
  }
  return (stem) => found.get(stem) ?? [];
}

export const goodItem = (path: string): Item => ({ path, defective: false, defect: "good", masks: [] });

export const defectItem = (path: string, defect: string, masks: readonly string[]): Item => ({
  path,
  defective: true,
  defect,
  masks,
});
