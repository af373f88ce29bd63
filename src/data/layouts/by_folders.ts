import { InputError } from "../../runtime/errors.ts";
import type { DatasetClass, Item } from "../item.ts";
import { isGoodName } from "../names.ts";
import { baseOf, folded, grouped, images, stemOf, uniqueBy, within, type FileTree } from "../tree.ts";
import { divide, maskedStem, shownMask, type Divided } from "./companions.ts";
import type { Reading } from "./layout.ts";

// What the layouts share that tell good from defective by folders: train/<good>, test/<good or defect>,
// ground_truth/<defect>.

/** Folders of images to learn from. */
export const TRAIN: readonly string[] = ["train", "training", "train_set", "trainset"];
/** Folders of test images. */
export const TEST: readonly string[] = ["test", "testing", "test_set", "testset", "test_public"];
/** Folders of masks. */
export const MASKS: readonly string[] = [
  "ground_truth",
  "groundtruth",
  "ground-truth",
  "ground truth",
  "gt",
  "masks",
  "mask",
];
// what is published beside train and test
const ASIDE = ["validation", "val", "valid", "test_private", "test_private_mixed"];

/** What was made of one class. */
export interface ClassReading extends Pick<Reading, "masks" | "companions" | "twins"> {
  readonly found: DatasetClass;
}

export const trainFolder = (tree: FileTree, folder: string): string | null => tree.find(folder, TRAIN);

export const testFolder = (tree: FileTree, folder: string): string | null => tree.find(folder, TEST);

/** The folders of a set's classes: those with `train` or `test` in them; the root itself, "", if it has them. */
export function classFolders(tree: FileTree): readonly string[] {
  const isClass = (folder: string): boolean => trainFolder(tree, folder) !== null || testFolder(tree, folder) !== null;
  return isClass("") ? [""] : tree.folders("").filter(isClass);
}

export const className = (tree: FileTree, folder: string): string => (folder === "" ? tree.name : folder);

/** The folders in a folder that hold good images by their names. */
export const goodFolders = (tree: FileTree, folder: string): readonly string[] =>
  tree
    .folders(folder)
    .filter(isGoodName)
    .map((name) => within(folder, name));

/** The folders of good images that a class has in `train`. */
export function trainGoodFolders(tree: FileTree, folder: string): readonly string[] {
  const train = trainFolder(tree, folder);
  return train === null ? [] : goodFolders(tree, train);
}

/** The images that a class has for other purposes than training and testing. */
export const asideImages = (tree: FileTree, folder: string): readonly string[] =>
  tree
    .folders(folder)
    .filter((name) => ASIDE.includes(folded(name)))
    .flatMap((name) => tree.below(within(folder, name)));

/** Every class by `train/<good>`, `test/<good or defect>` and masks. */
export function readFolders(tree: FileTree): Reading {
  const folders = classFolders(tree);
  return {
    ...readingOf(folders.map((folder) => readClass(tree, folder, trainGoodFolders(tree, folder)))),
    aside: folders.flatMap((folder) => asideImages(tree, folder)),
  };
}

/** Classes that nothing was left aside or missed of. */
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
 * One class: good images, and what `test` and the folder of masks hold.
 * @param good folders of good images to learn from
 * @param imagesOf the images of such a folder
 * @throws InputError for a test image that lies in no folder, since that says what it is; for images to learn from that
 * have masks beside them, unless their folder says that they are good
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

/** A mask that is told from its photograph by its extension alone: which of the two is which, the names do not say. */
const isTwin = ([mask, photograph]: readonly [string, string | null]): boolean =>
  photograph !== null && folded(stemOf(mask)) === folded(stemOf(photograph));

/** Test images by the folder that says what they show. */
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
      `${className(tree, folder)}: ${path} is neither good nor defective; test images belong in ${test}/good or ${test}/<defect>`,
    );
  });
  return [...kinds].map(([kind, own]) => ({ kind, ...divide(own, `${test}/${kind}`, true) }));
}

/** Images to learn from that have masks: are they good or not? */
const unclearError = (
  tree: FileTree,
  folder: string,
  masks: readonly (readonly [string, string | null])[],
): InputError =>
  new InputError(
    `${className(tree, folder)}: ${images(masks.length)} among those to learn from would be masks by their names (such as ${shownMask(masks[0]!)}), ` +
      "and images with masks may be defective; good images belong in train/good, others in test/<defect>, masks in ground_truth/<defect>; " +
      "rename the files if they are photographs",
  );

/**
 * Masks by the stem of the image they belong to: named as it, or with a word such as `_mask` at it, or in a folder of
 * its name; in another case or another of Unicode's forms where that is the name of no other image.
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
