import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { byCodeUnits, isImage } from "../data/tree.ts";
import { InputError } from "../runtime/errors.ts";
import { listFolder } from "./dataset.ts";
import { isSpecialFile, reasonOf } from "./files.ts";
import { isForSharp } from "./images.ts";

/** Images that a user named. */
export interface ImageList {
  /** Each once, as it was named or found, in the order of the paths' code units: the same on any machine. */
  readonly images: readonly string[];
  /** Folders that could not be read. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * The images that words name: files, whatever their extension; folders, all images in them; patterns such as `photos/**\/*.png`.
 * @param isLeftOut says of a path whether it is no input although it was found in a folder, such as a picture that is written
 * @throws InputError if a folder holds no image, or a pattern matches none. A file that does not exist is not looked for
 */
export async function listImages(words: readonly string[], isLeftOut: (path: string) => boolean = () => false): Promise<ImageList> {
  const byPath = new Map<string, string>(); // one file by two names is one image
  const unreadable: { readonly path: string; readonly reason: string }[] = [];
  const add = (path: string): void => {
    const whole = resolve(path);
    if (!byPath.has(whole)) byPath.set(whole, path);
  };
  const found = (paths: readonly string[], word: string): void => {
    const images = paths.filter((path) => isImage(path) && !isLeftOut(path));
    if (images.length === 0) throw new InputError(`${word} names no images (png, jpg, tiff, webp, bmp)`);
    images.forEach(add);
  };
  for (const word of words) {
    const there = await stat(word).catch(() => null);
    if (there?.isDirectory()) {
      const listing = await listFolder(word);
      unreadable.push(...listing.unreadable.map(({ path, reason }) => ({ path: join(word, path), reason })));
      found(listing.files.map((path) => join(word, path)), word);
    } else if (!there && isDynamicPattern(word)) {
      found(await matching(word), word);
    } else add(word);
  }
  return { images: [...byPath.values()].sort(byCodeUnits), unreadable };
}

/** Files that a pattern matches. A folder that links reach in several ways, as in circles, is looked into by the shortest. */
async function matching(pattern: string): Promise<string[]> {
  try {
    const paths = await glob(pattern, { onlyFiles: true, expandDirectories: false });
    const reached = new Map<string, string>(); // by the real folder, the one that it is looked into by
    for (const folder of [...new Set(paths.map(dirname))].sort((a, b) => a.length - b.length || byCodeUnits(a, b))) {
      const real = await realpath(folder);
      if (!reached.has(real)) reached.set(real, folder);
    }
    const folders = new Set(reached.values());
    return paths.filter((path) => folders.has(dirname(path)));
  } catch (error) {
    throw new InputError(`cannot read ${pattern}: ${reasonOf(error)}`, { cause: error });
  }
}

const STANDARD_INPUT = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
const OF_A_SHELL = /^\/dev\/stdin$|^\/(?:dev|proc\/self)\/fd\/\d+$/;
const MOST_LIST_BYTES = 1 << 28;

/** Whether a word stands for a list of images: `-`, or a stream that a shell opened, as `/dev/stdin` or by process substitution. */
export async function isList(word: string): Promise<boolean> {
  if (word === "-") return true;
  return OF_A_SHELL.test(word) && (await isSpecialFile(word));
}

/**
 * The names in such a list.
 * @throws InputError if it cannot be read, is empty, is an image itself, or has no end in 256 MiB
 */
export async function readList(word: string): Promise<string[]> {
  const isStandard = STANDARD_INPUT.includes(word);
  const name = isStandard ? "standard input" : word;
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of (isStandard ? process.stdin : createReadStream(word)) as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes > MOST_LIST_BYTES) throw new InputError(`it has more than ${MOST_LIST_BYTES} bytes, which no list of images has`);
      if (isForSharp(parts[0]!)) throw new InputError("it is an image, where a list of their names is needed; name the image's file instead");
    }
  } catch (error) {
    throw new InputError(`cannot read the list on ${name}: ${reasonOf(error)}`, { cause: error });
  }
  const names = namesIn(Buffer.concat(parts).toString("utf8"));
  if (names.length === 0) throw new InputError(`the list on ${name} is empty`);
  return names;
}

/** The names in a list, a line each; or, if there is a NUL in it, each up to the next NUL, so that names may hold line ends. */
export function namesIn(list: string): string[] {
  const names = list.includes("\0") ? list.split("\0") : list.split("\n").map((line) => line.replace(/\r$/, ""));
  return names.filter((name) => name !== "");
}

/** The folder that all of the paths lie in, absolute. */
export function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => resolve(path).split(sep).slice(0, -1));
  let common = first;
  for (const folders of others) {
    const differs = common.findIndex((name, i) => name !== folders[i]);
    if (differs >= 0) common = common.slice(0, differs);
  }
  return common.join(sep) || sep;
}

/** Whether a path lies in one of the folders. */
export function liesIn(path: string, folders: readonly string[]): boolean {
  const whole = resolve(path);
  return folders.some((folder) => whole.startsWith(resolve(folder) === sep ? sep : resolve(folder) + sep));
}
