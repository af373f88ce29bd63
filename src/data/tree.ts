/** Image formats by file name, in lower case. */
export const IMAGE_EXTENSIONS: readonly string[] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

const LEFTOVERS = ["thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"];

/** Whether a file or folder is hidden, or left behind by a system or an archive: no part of a dataset. */
export const isClutter = (name: string): boolean => name.startsWith(".") || LEFTOVERS.includes(name.toLowerCase());

export const isImage = (path: string): boolean => {
  const lower = path.toLowerCase();
  return IMAGE_EXTENSIONS.some((extension) => lower.endsWith(`.${extension}`) && !lower.endsWith(`/.${extension}`));
};

/** A path without its extension. */
export const stemOf = (path: string): string => path.replace(/\.[^./]*$/, "");

export const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A folder's path and a name in it; the root is "". */
export const within = (folder: string, name: string): string => (folder === "" ? name : `${folder}/${name}`);

/** The images below a root, in order of their paths, and what their folders are. Hidden files are no part of it. */
export class FileTree {
  readonly name: string;
  readonly images: readonly string[];
  /** How many files there are, images among them. */
  readonly fileCount: number;
  readonly #files: ReadonlySet<string>;
  readonly #folders = new Map<string, readonly string[]>();

  /**
   * @param name of the root
   * @param files paths relative to the root, with forward slashes, in any order
   */
  constructor(name: string, files: readonly string[]) {
    const shown = files.filter((path) => !path.split("/").some(isClutter));
    this.name = name;
    this.images = shown.filter(isImage).sort(byCodeUnits);
    this.fileCount = shown.length;
    this.#files = new Set(shown);
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** The images in a folder, at any depth. */
  below(folder: string): readonly string[] {
    return folder === "" ? this.images : this.images.slice(this.#firstFrom(`${folder}/`), this.#firstFrom(`${folder}0`)); // "0" follows "/"
  }

  /** The names of a folder's own folders that hold images, sorted. */
  folders(folder: string): readonly string[] {
    const known = this.#folders.get(folder);
    if (known) return known;
    const start = folder === "" ? 0 : folder.length + 1;
    const names = new Set<string>();
    for (const path of this.below(folder)) {
      const end = path.indexOf("/", start);
      if (end >= 0) names.add(path.slice(start, end));
    }
    const found = [...names].sort(byCodeUnits);
    this.#folders.set(folder, found);
    return found;
  }

  /** The first of the named folders that a folder holds, whatever its case, as a path; null if there is none. */
  find(folder: string, names: readonly string[]): string | null {
    const there = this.folders(folder);
    for (const name of names) {
      const found = there.find((other) => other === name) ?? there.find((other) => other.toLowerCase() === name);
      if (found !== undefined) return within(folder, found);
    }
    return null;
  }

  /** What the root holds, for an error message: "a/ (12 images), b/ (1 image), 3 images". */
  summary(): string {
    const MOST = 6;
    const names = this.folders("");
    const parts = names.slice(0, MOST).map((name) => `${name}/ (${images(this.below(name).length)})`);
    if (names.length > MOST) parts.push(`${names.length - MOST} more folders`);
    const loose = this.images.filter((path) => !path.includes("/")).length;
    if (loose > 0) parts.push(images(loose));
    return parts.join(", ");
  }

  #firstFrom(path: string): number {
    let [low, high] = [0, this.images.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.images[middle]! < path) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** "1 image", "3 images". */
export const images = (count: number): string => `${count} image${count === 1 ? "" : "s"}`;
