import type { DatasetClass, Unreadable } from "../item.ts";
import type { FileTree } from "../tree.ts";

/** Names of layouts, as `--format` takes them. */
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
  "folder",
] as const;

/** The name of a layout that datasets come in. */
export type FormatName = (typeof FORMATS)[number];

/** What a layout makes of a listing. */
export interface Reading {
  /** In order of their names. */
  readonly classes: readonly DatasetClass[];
  /** Every image that is a mask by its place, whether it belongs to an image or not. */
  readonly masks: readonly string[];
  /** Images that the layout knows and leaves alone. */
  readonly aside: readonly string[];
  /** Images that lie beside photographs and are none by their names: depth, thumbnails, masks of good images. */
  readonly companions: readonly string[];
  /** Images that have another of their name with another extension beside them, and these. */
  readonly twins: readonly string[];
  /** Named more than once in a list. */
  readonly repeated: readonly Unreadable[];
  /** Named in a list, but not there. */
  readonly missing: readonly Unreadable[];
}

/** How one family of datasets is laid out. */
export interface Layout {
  readonly format: FormatName;
  /** The datasets that come in it, in words. */
  readonly title: string;
  /** Where what lies, in words. */
  readonly rule: string;
  /** The list that says what is what, if it is not the folders. */
  readonly list?: string;
  /** The set's own classes, where only they tell it from others. */
  readonly classNames?: readonly string[];
  /** Whether a listing is laid out so; told from names alone. */
  readonly fits: (tree: FileTree) => boolean;
  /** @throws InputError where the layout's rule is broken */
  read(tree: FileTree, readText: (path: string) => Promise<string>): Promise<Reading> | Reading;
}
