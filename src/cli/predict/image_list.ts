import { stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import type { SkippedPath } from "../../data/dataset.ts";
import { divide } from "../../data/layouts/companions.ts";
import {
  byCodeUnits,
  IMAGE_EXTENSIONS,
  images,
  isImage,
  isUndecodable,
  suchAs,
  undecodableWords,
} from "../../data/tree.ts";
import { InputError } from "../../runtime/errors.ts";
import { specialReason } from "../../node/files/read.ts";
import { reasonOf } from "../../node/files/reasons.ts";
import { identityOfFile, isOutput, listFolder, NOT_UTF8 } from "../../node/files/folder_listing.ts";

/** Images that a user named. */
export interface ImageList {
  /** Each once, as it was named or found, in the order of the paths' code units: the same on any machine. */
  readonly images: readonly string[];
  /** Paths that could not be read. */
  readonly unreadable: readonly SkippedPath[];
  /** Remarks on what was left out or looks wrong, one line each. */
  readonly remarks: readonly string[];
}

/**
 * The images that words name: files, whatever their extension; folders, all images in them; patterns such as
 * `photos/**\/*.png`. What exists is taken by its name before it is taken for a pattern. One file by two names is one
 * image. Masks, depth maps and the like that lie beside photographs in folders are left out.
 * @param isLeftOut says of a path whether it is no input although it was found in a folder, such as a picture that is
 * written
 * @throws InputError if a folder holds no image, or a pattern matches none. A file that does not exist is not looked
 * for
 */
export async function listImages(
  words: readonly string[],
  isLeftOut: (path: string) => boolean = () => false,
): Promise<ImageList> {
  const found = new Found(isLeftOut);
  for (const word of words) {
    const path = await existing(word);
    const there = path === null ? null : await stat(path, { bigint: true });
    if (there?.isDirectory()) await found.addFolder(path!);
    else if (there && !there.isFile() && !path!.startsWith("/dev/fd/"))
      found.unreadable.push({ path: path!, reason: specialReason(there) });
    else if (there) found.add(path!, identityOfFile(there));
    else if (word.includes("\uFFFD"))
      found.unreadable.push({ path: word, reason: `${NOT_UTF8}; or save the list that names it as UTF-8` });
    else if (/[*?]/.test(word) || isDynamicPattern(word)) await found.addPattern(word);
    else found.addMissing(word);
  }
  return found.list();
}

/** The path that a word names, also where its separators are those of Windows; null if there is nothing. */
async function existing(word: string): Promise<string | null> {
  if (word === "") return null; // not the working folder
  for (const path of new Set([word, word.replaceAll("\\", "/")])) if (await stat(path).catch(() => null)) return path;
  return null;
}

class Found {
  readonly unreadable: SkippedPath[] = [];
  readonly #isLeftOut: (path: string) => boolean;
  readonly #images = new Map<string, string>(); // by identity
  readonly #undecodable = new Set<string>();
  readonly #outputs = new Set<string>();
  readonly #companions: string[] = [];
  readonly #repeated: string[] = [];
  readonly #foreign: string[] = [];

  constructor(isLeftOut: (path: string) => boolean) {
    this.#isLeftOut = isLeftOut;
  }

  add(path: string, identity: string | null): void {
    const key = identity ?? resolve(path);
    const known = this.#images.get(key);
    if (known === undefined) this.#images.set(key, path);
    else this.#repeated.push(known === path ? path : `${path}, which is ${known}`);
  }

  /** A file that is not there, which is said when it is read. */
  addMissing(path: string): void {
    if (path.includes("\\")) this.#foreign.push(path);
    this.add(path, null);
  }

  async addFolder(folder: string): Promise<void> {
    const { files, unreadable, repeated, outputs, identities } = await listFolder(folder);
    for (const { path, reason } of unreadable) this.unreadable.push({ path: join(folder, path), reason });
    for (const { path, reason } of repeated) this.#repeated.push(`${join(folder, path)}, which ${reason}`);
    for (const path of outputs) this.#outputs.add(join(folder, path));
    this.#addAll(
      this.#photographs(files, folder).map((path) => [join(folder, path), identities.get(path) ?? null]),
      folder,
    );
  }

  async addPattern(pattern: string): Promise<void> {
    try {
      const paths = await matching(pattern, (folder) => this.#outputs.add(folder));
      const kept: [string, string | null][] = [];
      for (const path of paths) {
        const output = await this.#outputAbove(path, pattern);
        const there = output === null ? await stat(path, { bigint: true }).catch(() => null) : null;
        if (output !== null) this.#outputs.add(output);
        else kept.push([path, there && identityOfFile(there)]);
      }
      // "**" looks into whatever folders there are; a pattern without it names what it means.
      const folder = pattern.includes("**") ? (await literalPart(pattern)).folder : null;
      const photographs =
        folder === null
          ? null
          : new Set(
              this.#photographs(
                kept.map(([path]) => relative(folder, path)),
                folder,
              ),
            );
      this.#addAll(photographs ? kept.filter(([path]) => photographs.has(relative(folder!, path))) : kept, pattern);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`cannot read ${pattern}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /**
   * The files below a folder without masks, depth maps and the like, by paths relative to it; all where nothing else is
   * there.
   */
  #photographs(files: readonly string[], folder: string): readonly string[] {
    const { photographs, masks, others } = divide(files.filter(isImage), "", false);
    if (photographs.length === 0) return files;
    const companions = new Set([...masks.map(([mask]) => mask), ...others]);
    this.#companions.push(...[...companions].map((path) => join(folder, path)));
    return files.filter((path) => !companions.has(path));
  }

  list(): ImageList {
    const undecodable = [...this.#undecodable];
    const remarks = [
      ...(undecodable.length > 0 ? [`left out: ${undecodableWords(undecodable)}`] : []),
      ...(this.#companions.length > 0
        ? [
            `left out: ${images(this.#companions.length)} of masks, depth or the like beside photographs, ${suchAs(this.#companions)}; name the files to include them`,
          ]
        : []),
      ...(this.#repeated.length > 0
        ? [`named more than once, and processed once: ${this.#repeated.length}, ${suchAs(this.#repeated)}`]
        : []),
      ...[...this.#outputs].map(
        (folder) => `left out: the pictures in ${folder}, which bigrid wrote; name that folder itself to include them`,
      ),
      ...(this.#foreign.length > 0
        ? [
            `${this.#foreign.length} of the names are paths of Windows and not there, ${suchAs(this.#foreign)}: write them as this system does`,
          ]
        : []),
    ];
    return { images: [...this.#images.values()].sort(byCodeUnits), unreadable: this.unreadable, remarks };
  }

  #addAll(paths: readonly (readonly [path: string, identity: string | null])[], word: string): void {
    const images = paths.filter(([path]) => isImage(path) && !this.#isLeftOut(path));
    const undecodable = paths.map(([path]) => path).filter(isUndecodable);
    for (const path of undecodable) this.#undecodable.add(path);
    if (images.length === 0) {
      const found = undecodable.length > 0 ? undecodableWords(undecodable) : `(${IMAGE_EXTENSIONS.join(", ")})`;
      throw new InputError(`${word} names no images${undecodable.length > 0 ? ", but " : " "}${found}`);
    }
    for (const [path, identity] of images) this.add(path, identity);
  }

  /** The folder whose pictures bigrid wrote that a file lies in; null if there is none, or the pattern names it. */
  async #outputAbove(path: string, pattern: string): Promise<string | null> {
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
      if (resolve(pattern).startsWith(resolve(folder) + sep)) return null;
      if (await isOutput(folder)) return folder;
    }
    return null;
  }
}

/**
 * Files that a pattern matches, in order; `onOutput` hears of folders of bigrid's own pictures. Below "**" each real
 * folder is looked into once, however links lead there.
 */
async function matching(pattern: string, onOutput: (folder: string) => void): Promise<readonly string[]> {
  const { folder, rest } = await literalPart(pattern);
  const found = await matchingBelow(folder, rest, onOutput);
  return [...new Set(found)].sort(byCodeUnits);
}

async function matchingBelow(
  folder: string,
  pattern: string,
  onOutput: (folder: string) => void,
): Promise<readonly string[]> {
  const names = pattern.split("/");
  const at = names.indexOf("**");
  if (at < 0) return globbed(folder, pattern, true);
  const starts = at === 0 ? [folder] : await globbed(folder, names.slice(0, at).join("/"), false);
  const found: (readonly string[])[] = [];
  for (const start of starts) {
    const { folders, outputs } = await listFolder(start);
    for (const output of outputs) onOutput(join(start, output));
    for (const below of folders)
      found.push(await matchingBelow(join(start, below), names.slice(at + 1).join("/") || "*", onOutput));
  }
  return found.flat();
}

/** Matches a pattern in a folder; without a match, tries again with its brackets taken literally. */
async function globbed(folder: string, pattern: string, files: boolean): Promise<readonly string[]> {
  const options = {
    cwd: folder,
    onlyFiles: files,
    onlyDirectories: !files,
    expandDirectories: false,
    followSymbolicLinks: !pattern.includes("**"),
  };
  const found = await glob(pattern, options);
  const plain = pattern.replace(/[()[\]{}!+@|]/g, "\\$&");
  return (found.length > 0 || plain === pattern ? found : await glob(plain, options)).map((path) => join(folder, path));
}

/** The folder that a pattern begins with, in which brackets are parts of names, and what is left. */
async function literalPart(pattern: string): Promise<{ readonly folder: string; readonly rest: string }> {
  const names = pattern.split("/");
  let folder = pattern.startsWith("/") ? "/" : ".";
  let at = pattern.startsWith("/") ? 1 : 0;
  while (
    at < names.length - 1 &&
    !/[*?]/.test(names[at]!) &&
    (await stat(join(folder, names[at]!)).catch(() => null))?.isDirectory()
  )
    folder = join(folder, names[at++]!);
  return { folder, rest: names.slice(at).join("/") };
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

/** True if a path lies in one of the folders. */
export function liesIn(path: string, folders: readonly string[]): boolean {
  const whole = resolve(path);
  return folders.some((folder) => whole.startsWith(resolve(folder) === sep ? sep : resolve(folder) + sep));
}
