import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BigIntStats, Dirent } from "node:fs";
import type { SkippedPath } from "../../data/dataset.ts";
import { byCodeUnits, isClutter, isImage, within } from "../../data/tree.ts";
import { InputError } from "../../runtime/errors.ts";
import { writeFileAtomic } from "./files.ts";
import { specialReason } from "./read.ts";
import { reasonOf } from "./reasons.ts";

/** A folder's contents at any depth, each file and folder once. Paths are relative to it, with forward slashes. */
export interface FolderListing {
  readonly files: readonly string[];
  /** The folder itself, "", and all below it that were looked into. */
  readonly folders: readonly string[];
  /** Paths that cannot be listed or are neither file nor folder, in order. */
  readonly unreadable: readonly SkippedPath[];
  /** Links and further names of images and folders that are there by another path, in order of paths. */
  readonly repeated: readonly SkippedPath[];
  /** Folders below that hold pictures which bigrid wrote: none of their files is listed. */
  readonly outputs: readonly string[];
  /** Identities of the images, independent of their paths. */
  readonly identities: ReadonlyMap<string, string>;
}

const MARKER = ".bigrid-pictures"; // hidden, so that it is no part of a dataset
const MARKER_TEXT =
  "bigrid wrote the pictures in this folder. While this file is here they are left out of datasets and of images to inspect.\n";
const STATS = 64; // files that are looked at at a time

/**
 * Marks a folder as one whose pictures bigrid writes, unless others have put something there.
 * @returns whether it is marked
 * @throws InputError if that cannot be written
 */
export async function markOutput(folder: string): Promise<boolean> {
  // what cannot be listed cannot be written, which is said below
  const names = await readdir(folder).catch((): string[] => []);
  if (names.includes(MARKER)) return true;
  if (names.some((name) => !isClutter(name))) return false;
  await writeFileAtomic(join(folder, MARKER), MARKER_TEXT); // half a marker would stay half: it is written once
  return true;
}

/** True for a folder that bigrid writes pictures into. */
export const isOutput = async (folder: string): Promise<boolean> =>
  (await stat(join(folder, MARKER)).catch(() => null))?.isFile() ?? false;

/** Identity of a file or folder, independent of its path; null where the file system has none. */
export const identityOfFile = ({ dev, ino }: BigIntStats): string | null => (ino === 0n ? null : `${dev}:${ino}`);

/**
 * Lists what is in a folder at any depth, without opening a file. Links are followed, and each real folder and image is
 * taken once: by its own path rather than by a link, by the first of its paths where it has several. Hidden files are
 * left out.
 * @throws InputError if the folder itself cannot be read
 */
export async function listFolder(root: string): Promise<FolderListing> {
  const unreadableRoot = (error: unknown): never => {
    throw new InputError(`cannot read the folder ${root}: ${reasonOf(error)}`, { cause: error });
  };
  const found = await stat(root).catch(unreadableRoot);
  if (!found.isDirectory()) throw new InputError(`${root} is a file; a folder of images is needed`);
  await readdir(root).catch(unreadableRoot);
  return new Walk(root).list();
}

class Walk {
  readonly #root: string;
  readonly #files: string[] = [];
  readonly #linkedFiles: string[] = [];
  readonly #linkedFolders: string[] = [];
  readonly #folders = new Map<string, string>(); // their paths by identity
  readonly #unreadable: SkippedPath[] = [];
  readonly #repeated: SkippedPath[] = [];
  readonly #outputs: string[] = [];

  constructor(root: string) {
    this.#root = root;
  }

  async list(): Promise<FolderListing> {
    await this.#walk("");
    // more may come as it goes
    for (let i = 0; i < this.#linkedFolders.length; i++) await this.#walk(this.#linkedFolders[i]!);
    const { files, identities } = await this.#once([...this.#files, ...this.#linkedFiles.sort(byCodeUnits)]);
    const byPath = (a: SkippedPath, b: SkippedPath): number => byCodeUnits(a.path, b.path);
    return {
      files,
      folders: [...this.#folders.values()],
      unreadable: this.#unreadable.sort(byPath),
      repeated: this.#repeated.sort(byPath),
      outputs: this.#outputs.sort(byCodeUnits),
      identities,
    };
  }

  /** A folder, and those in it that are no links. */
  async #walk(start: string): Promise<void> {
    const waiting = [start];
    while (waiting.length > 0) {
      const folder = waiting.pop()!;
      const entries = await this.#entriesOf(folder);
      const folders: string[] = [];
      for (const { path, kind, isLink } of entries) {
        if (kind.isDirectory()) (isLink ? this.#linkedFolders : folders).push(path);
        else if (kind.isFile()) (isLink ? this.#linkedFiles : this.#files).push(path);
        else this.#unreadable.push({ path, reason: specialReason(kind) });
      }
      waiting.push(...folders.reverse()); // the first is looked into first
    }
  }

  /**
   * A folder's entries in order of their names; none where it was looked into before, cannot be read or is an output.
   */
  async #entriesOf(folder: string): Promise<readonly Entry[]> {
    try {
      const identity = identityOfFile(await stat(join(this.#root, folder), { bigint: true })) ?? folder;
      const known = this.#folders.get(identity);
      if (known !== undefined) {
        if (known !== "" && !folder.startsWith(`${known}/`))
          this.#repeated.push({ path: folder, reason: `is the folder ${known} by another name` });
        return [];
      }
      const names = await readdir(join(this.#root, folder), { withFileTypes: true, encoding: "buffer" });
      if (folder !== "" && names.some(({ name }) => name.toString() === MARKER)) {
        this.#outputs.push(folder);
        return [];
      }
      this.#folders.set(identity, folder);
      const entries: Entry[] = [];
      for (const entry of names.sort((a, b) => Buffer.compare(a.name, b.name)))
        entries.push(...(await this.#entryOf(folder, entry)));
      return entries;
    } catch (error) {
      this.#unreadable.push({ path: folder, reason: reasonOf(error) });
      return [];
    }
  }

  async #entryOf(folder: string, entry: Dirent<Buffer>): Promise<readonly Entry[]> {
    const name = entry.name.toString();
    if (isClutter(name)) return [];
    if (!Buffer.from(name).equals(entry.name)) {
      this.#unreadable.push({ path: within(folder, escapedName(entry.name)), reason: NOT_UTF8 });
      return [];
    }
    const path = within(folder, name);
    if (!entry.isSymbolicLink()) return [{ path, kind: entry, isLink: false }]; // a look at each file would be slow
    try {
      return [{ path, kind: await stat(join(this.#root, path)), isLink: true }];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      this.#unreadable.push({ path, reason: code === "ENOENT" ? "a link to nowhere" : reasonOf(error) });
      return [];
    }
  }

  /** Leaves out the images that are others' by a further name. */
  async #once(paths: readonly string[]): Promise<Pick<FolderListing, "files" | "identities">> {
    const images = paths.filter(isImage);
    const identities = new Map<string, string>();
    for (let first = 0; first < images.length; first += STATS) {
      await Promise.all(
        images.slice(first, first + STATS).map(async (path) => {
          // gone again: that is said when it is read
          const found = await stat(join(this.#root, path), { bigint: true }).catch(() => null);
          const identity = found && identityOfFile(found);
          if (identity !== null) identities.set(path, identity);
        }),
      );
    }
    const firsts = new Map<string, string>();
    const files = paths.filter((path) => {
      const identity = identities.get(path);
      if (identity === undefined) return true;
      const first = firsts.get(identity);
      if (first === undefined) firsts.set(identity, path);
      else this.#repeated.push({ path, reason: `is the file ${first} by another name` });
      return first === undefined;
    });
    return { files, identities };
  }
}

type Kind = Pick<Dirent, "isDirectory" | "isFile" | "isFIFO" | "isSocket">;

interface Entry {
  readonly path: string;
  readonly kind: Kind;
  readonly isLink: boolean;
}

export const NOT_UTF8 = "its name is not UTF-8 (rename it)";

/** A name with each byte outside ASCII as \xNN. */
const escapedName = (name: Buffer): string =>
  [...name].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join("");
