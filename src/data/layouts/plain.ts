import { InputError } from "../../runtime/errors.ts";
import { isDefectiveName, isGoodName } from "../names.ts";
import { baseOf, folded, images, stemOf, uniqueBy, within, type FileTree } from "../tree.ts";
import {
  className,
  classFolders,
  goodFolders,
  MASKS,
  readClass,
  readingOf,
  TEST,
  testFolder,
  TRAIN,
  trainFolder,
  unclearError,
  type ClassReading,
} from "./by_folders.ts";
import { maskedStem } from "./companions.ts";
import type { Layout } from "./layout.ts";

const STRUCTURE = [...TRAIN, ...TEST, ...MASKS];

/** A user's own photographs. */
export const folder: Layout = {
  format: "folder",
  title: "a plain folder",
  rule:
    "all images are good ones to learn from, but for those in folders of these names: " +
    "test/good and test/<defect>: test images; masks/<defect>/NAME.png: where the defect is",
  fits: () => true,
  read(tree) {
    requirePhotographs(tree);
    const folders = classFolders(tree);
    return readingOf((folders.length > 0 ? folders : [""]).map((folder) => readOwn(tree, folder)));
  },
};

/** @throws InputError for a folder whose name, or whose files' names, mark it as a folder of masks */
function requirePhotographs(tree: FileTree): void {
  const all = tree.images;
  const isNamedMasks = MASKS.includes(folded(tree.name));
  if (all.length === 0 || !(isNamedMasks || all.every((path) => /[_-]mask\.\w+$/i.test(path)))) return;
  const reason = isNamedMasks ? "a folder of this name holds" : "images of such names are";
  throw new InputError(
    `${tree.name}: ${reason} masks, not photographs (${images(all.length)}, such as ${baseOf(all[0]!)}); ` +
      "name the folder of the whole dataset, or rename it if they are photographs",
  );
}

/** Reads one class, whose good images lie in subfolders named as good or, without such folders, everywhere. */
function readOwn(tree: FileTree, folder: string): ClassReading {
  const start = trainFolder(tree, folder) ?? folder;
  const own = [testFolder(tree, folder), tree.find(folder, MASKS)].filter((path) => path !== null);
  const isIn = (path: string, folders: readonly string[]): boolean =>
    folders.some((other) => path.startsWith(`${other}/`));
  const all = tree.below(start).filter((path) => !isIn(path, own));
  const requireClear = (place: string): void => {
    const named = goodFolders(tree, place);
    const beside =
      named.length === 0
        ? []
        : all.filter((path) => (place === "" || path.startsWith(`${place}/`)) && !isIn(path, named));
    if (beside.length > 0) throw unclear(tree, folder, place, named[0]!, beside);
  };
  requireClear(start);
  for (const path of all) checkNames(tree, folder, start, path);
  for (const place of goodParents(start, all)) requireClear(place);
  const good = goodFolders(tree, start);
  if (good.length === 0) requireNoMasks(tree, folder, all);
  return good.length > 0 ? readClass(tree, folder, good) : readClass(tree, folder, [start], () => all);
}

/** @throws InputError for images that nobody calls good and that have masks: images/000.png, masks/000.png */
function requireNoMasks(tree: FileTree, folder: string, all: readonly string[]): void {
  const place = tree.find(folder, MASKS);
  if (place === null || testFolder(tree, folder) !== null) return;
  const byName = uniqueBy(all, (path) => folded(stemOf(baseOf(path))));
  const masks = tree.below(place).flatMap((mask): [string, string][] => {
    const stem = stemOf(baseOf(mask));
    const photograph = byName.get(folded(stem)) ?? byName.get(folded(maskedStem(stem) ?? ""));
    return photograph ? [[mask, photograph]] : [];
  });
  if (masks.length > 0) throw unclearError(tree, folder, masks);
}

/** The folders, `start` or below it, that contain folders named as good. */
function goodParents(start: string, paths: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const path of paths) {
    const names = path.split("/").slice(0, -1);
    for (let at = start === "" ? 0 : start.split("/").length; at < names.length; at++) {
      if (isGoodName(names[at]!)) found.add(names.slice(0, at).join("/"));
    }
  }
  return found;
}

/** The error for images beside folders named as good: it is unclear if they are good. */
function unclear(tree: FileTree, folder: string, start: string, good: string, beside: readonly string[]): InputError {
  const places = new Set(beside.map((path) => topOf(path, start)));
  const [first] = places as unknown as [string];
  const shown = [...places]
    .slice(0, 3)
    .map((place) => `${place}${tree.has(place) ? "" : "/"}`)
    .join(", ");
  const kind = tree.has(first) ? "<defect>" : baseOf(first);
  return new InputError(
    `${className(tree, folder)}: ${good}/ (${images(tree.below(good).length)}) holds the good images, ` +
      `but ${shown} lie beside it ` +
      `(${images(beside.length)}); ` +
      `defective images belong in ${within(folder, `test/${kind}`)}, good ones in ${good}${partHint(tree)}`,
  );
}

/** A hint for users who name a subfolder of a dataset but mean the dataset. */
const partHint = ({ name }: FileTree): string =>
  STRUCTURE.includes(folded(name)) ? "; if this is a part of a dataset, name the folder that it lies in" : "";

/** @throws InputError for a good image in a folder whose name says otherwise */
function checkNames(tree: FileTree, folder: string, start: string, path: string): void {
  const segments = path
    .slice(start === "" ? 0 : start.length + 1)
    .split("/")
    .slice(0, -1);
  const at = segments.findIndex((segment) => isDefectiveName(segment) || STRUCTURE.includes(folded(segment)));
  if (at < 0) return;
  const place = within(start, segments.slice(0, at + 1).join("/"));
  const found =
    `${className(tree, folder)}: ${place}/ (${images(tree.below(place).length)}) would be read as good images, ` +
    "but its name says otherwise";
  if (isDefectiveName(baseOf(place))) {
    throw new InputError(
      `${found}; defective images belong in ${within(folder, `test/${baseOf(place)}`)}; ` +
        `rename the folder if they are good`,
    );
  }
  const above = place.slice(0, -baseOf(place).length - 1);
  const remedy =
    above === ""
      ? "name the folder that the images of one kind of part lie in"
      : `if ${above} is a dataset, name it, or the folder that it lies in`;
  throw new InputError(`${found}; ${remedy}; rename the folder if they are good`);
}

/** The file or folder directly below `start` on a path. */
function topOf(path: string, start: string): string {
  const from = start === "" ? 0 : start.length + 1;
  const end = path.indexOf("/", from);
  return end < 0 ? path : path.slice(0, end);
}
