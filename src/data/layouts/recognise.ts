import { InputError } from "../../runtime/errors.ts";
import type { FileTree } from "../tree.ts";
import { className, classFolders } from "./by_folders.ts";
import { dagm } from "./dagm.ts";
import { kolektor } from "./kolektor.ts";
import type { FormatName, Layout } from "./layout.ts";
import { btad, goodsad, loco, mpdd, mvtec, mvtec2, mvtec3d, visaConverted } from "./mvtec.ts";
import { folder } from "./plain.ts";
import { realiad } from "./realiad.ts";
import { uniad } from "./uniad.ts";
import { visa } from "./visa.ts";

/**
 * The first match is taken: list files before folders, sets known by their classes before the layout that they share.
 */
const LAYOUTS: readonly Layout[] = [
  uniad,
  realiad,
  visa,
  visaConverted,
  goodsad,
  mpdd,
  mvtec3d,
  mvtec2,
  btad,
  loco,
  mvtec,
  dagm,
  kolektor,
  folder,
];

/** The layout that a listing looks like; a plain folder matches any images. */
export const detectLayout = (tree: FileTree): Layout => LAYOUTS.find((layout) => isLikely(layout, tree))!;

/** The layout by folders that a listing looks like as well; null if it is at most a plain folder. */
export const otherByFolders = (tree: FileTree): FormatName | null =>
  LAYOUTS.find((other) => !other.list && other !== folder && isLikely(other, tree))?.format ?? null;

/**
 * The layout of a format.
 * @throws InputError if the listing does not match it
 */
export function namedLayout(tree: FileTree, format: FormatName): Layout {
  const layouts = LAYOUTS.filter((layout) => layout.format === format);
  const layout = layouts.find((layout) => layout.fits(tree));
  if (layout) return layout;
  const expected = layouts.map(({ rule }) => rule).join("; or ");
  throw new InputError(
    `${tree.name} is not laid out as ${format}: expected ${expected}; found ${tree.summary()}; ` +
      `it looks like ${detectLayout(tree).format} (without the option format it is read so)`,
  );
}

/** True if a listing matches the layout, including class names if only those identify it. */
function isLikely({ fits, classNames }: Layout, tree: FileTree): boolean {
  return (
    fits(tree) && (!classNames || classFolders(tree).every((folder) => classNames.includes(className(tree, folder))))
  );
}
