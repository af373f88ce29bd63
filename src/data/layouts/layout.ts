import type { DatasetClass, SkippedPath } from "../item.ts";
import type { FileTree } from "../tree.ts";

/** Names of layouts. */
export const FORMATS = [
  "mvtec",
  "visa",
  "goodsad",
  "btad",
  "loco",
  "mpdd",
  "mvtec2",
  "mvtec3d",
  "uniad",
  "realiad",
  "kolektor",
  "dagm",
  "folder",
] as const;

/** Name of a dataset layout. */
export type FormatName = (typeof FORMATS)[number];

/** A listing as interpreted by a layout. */
export interface Reading {
  /** Sorted by name. */
  readonly classes: readonly DatasetClass[];
  /** Every image in a place for masks, even if it belongs to no image. */
  readonly masks: readonly string[];
  /** Images that the layout recognises but leaves alone. */
  readonly aside: readonly string[];
  /**
   * Images beside the photographs that are not photographs, judging by their names: depth, thumbnails, masks of good
   * images.
   */
  readonly companions: readonly string[];
  /** Images that share a name, but not the extension, with another image beside them, and those images. */
  readonly twins: readonly string[];
  /** Paths that a list names more than once. */
  readonly repeated: readonly SkippedPath[];
  /** Paths that a list names and that do not exist. */
  readonly missing: readonly SkippedPath[];
}

/** Access to a listing's files, for layouts that are not told by names alone. */
export interface Contents {
  readonly readText: (path: string) => Promise<string>;
  /**
   * True if every pixel of a mask is 0.
   * @throws InputError if it cannot be read
   */
  readonly isBlack: (path: string) => Promise<boolean>;
}

/** The layout of a family of datasets. */
export interface Layout {
  readonly format: FormatName;
  /** The datasets of this layout, in words. */
  readonly title: string;
  /** The expected folders and files, in words. */
  readonly rule: string;
  /** The list file that assigns the images, if folders do not. */
  readonly list?: string;
  /** The set's class names, if only they tell it from others. */
  readonly classNames?: readonly string[];
  /** True if a listing has this layout, judging by names alone. */
  readonly fits: (tree: FileTree) => boolean;
  /** @throws InputError if the layout's rule is broken */
  read(tree: FileTree, contents: Contents): Promise<Reading> | Reading;
}
