import { InputError, UsageError } from "../runtime/errors.ts";
import type { DatasetClass, SkippedPath } from "./item.ts";
import type { FormatName, Layout } from "./layouts/layout.ts";
import { FileTree, IMAGE_EXTENSIONS, undecodableWords } from "./tree.ts";

export type { DatasetClass, Item, SkippedPath } from "./item.ts";

/** The files of a folder, in any storage. */
export interface FileListing {
  /** Name of the folder; also names its class if it has only one. */
  readonly name: string;
  /** Paths relative to the folder, with forward slashes, in any order. */
  readonly files: readonly string[];
  /** Folders and links that could not be followed. */
  readonly unreadable: readonly SkippedPath[];
  /** Files and folders that are already read under another path; none by default. */
  readonly repeated?: readonly SkippedPath[];
  /** Subfolders whose images bigrid wrote; none by default. */
  readonly outputs?: readonly string[];
  /** Reads one of the files as text. */
  readText(path: string): Promise<string>;
  /**
   * Looks whether every pixel of an image is 0: a few layouts tell good images by their masks. By default they are
   * refused.
   * @throws InputError if it cannot be read
   */
  isBlack?(path: string): Promise<boolean>;
}

/** A folder of images, interpreted as a dataset. */
export interface Dataset {
  readonly layout: Pick<Layout, "format" | "title" | "rule">;
  /** Another layout that the folders also match, if a list file was read instead. */
  readonly alternative: FormatName | null;
  readonly classes: readonly DatasetClass[];
  /** Images in a place for masks that belong to no image. */
  readonly strayMasks: readonly string[];
  /** Images that the layout does not use. */
  readonly unused: readonly string[];
  /** Images that the layout recognises but leaves alone, such as a separate validation set. */
  readonly aside: readonly string[];
  /**
   * Images beside the photographs that are not photographs, judging by their names: depth, heat maps, thumbnails, masks
   * of good images.
   */
  readonly companions: readonly string[];
  /**
   * Images that share a name, but not the extension, with another image beside them, and those images: one may be a
   * mask or a copy of the other.
   */
  readonly twins: readonly string[];
  /** Image files of formats that cannot be decoded. */
  readonly undecodable: readonly string[];
  /** Paths found or listed more than once, each read once. */
  readonly repeated: readonly SkippedPath[];
  /** Folders whose images bigrid wrote; they are ignored. */
  readonly outputs: readonly string[];
  readonly unreadable: readonly SkippedPath[];
}

/** Options of reading a dataset. */
export interface DatasetOptions {
  /** The layout to read it as. Default: it is recognised. */
  readonly format?: FormatName | undefined;
  /** True if every class must have good images to train on. Default true. */
  readonly needsGood?: boolean;
}

/**
 * Recognises a dataset's layout from file names, or reads it in the given format. Hidden files are ignored.
 *
 * @throws InputError if there is no image, the given layout does not match, its rule is broken, or a class has no good
 *   image to train on
 */
export async function recogniseDataset(
  listing: FileListing,
  { format, needsGood = true }: DatasetOptions = {},
): Promise<Dataset> {
  const { name } = listing;
  const tree = new FileTree(name, listing.files);
  if (tree.images.length === 0) {
    const { outputs = [] } = listing;
    const found =
      tree.undecodable.length > 0
        ? undecodableWords(tree.undecodable)
        : outputs.length > 0 && tree.fileCount === 0
          ? `but those that bigrid wrote in ${outputs[0]!}`
          : tree.fileCount === 0
            ? "it is empty"
            : `none of its ${tree.fileCount} files is one`;
    throw new InputError(`${name}: no images, ${found}; images end in ${IMAGE_EXTENSIONS.join(", ")}`);
  }
  // only what reads a dataset needs all layouts: pages load them when they do
  const { detectLayout, namedLayout, otherByFolders } = await import("./layouts/recognise.ts");
  const layout = format === undefined ? detectLayout(tree) : namedLayout(tree, format);
  const { classes, masks, aside, missing, companions, twins, repeated } = await layout.read(tree, {
    readText: (path) => listing.readText(path),
    isBlack: (path) => {
      if (listing.isBlack) return listing.isBlack(path);
      throw new UsageError(`${name} is laid out as ${layout.format}: its listing needs the function isBlack`);
    },
  });
  const again = [...(listing.repeated ?? []), ...repeated];
  for (const { name, train } of classes) {
    if (!needsGood || train.length > 0) continue;
    const elsewhere = again.length === 0 ? "" : `; ${again[0]!.path} ${again[0]!.reason}`;
    throw new InputError(`${name}: no good images to learn from; read as ${layout.format}: ${layout.rule}${elsewhere}`);
  }
  const items = classes.flatMap(({ train, test }) => [...train, ...test]);
  const used = new Set(items.flatMap(({ path, masks }) => [path, ...masks]));
  const others = new Set(companions);
  const known = new Set([...used, ...masks, ...aside, ...companions]);
  return {
    layout: { format: layout.format, title: layout.title, rule: layout.rule },
    alternative: layout.list === undefined ? null : otherByFolders(tree),
    classes,
    strayMasks: masks.filter((path) => !used.has(path) && !others.has(path)),
    unused: tree.images.filter((path) => !known.has(path)),
    aside,
    companions,
    twins,
    undecodable: tree.undecodable.filter((path) => !used.has(path)),
    repeated: again,
    outputs: listing.outputs ?? [],
    unreadable: [...listing.unreadable, ...missing],
  };
}
