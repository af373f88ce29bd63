/** Extensions of image files that are decoded, in lower case. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  "png",
  "jpg",
  "jpeg",
  "jpe",
  "jfif",
  "bmp",
  "dib",
  "tif",
  "tiff",
  "webp",
  "gif",
  "avif",
];

// Extensions of image files that no decoder here reads: photographs of phones, camera raw files, scientific and print
// formats.
const UNDECODABLE =
  "heic heif hif jp2 j2k j2c jpf jpx jxl jxr dng raw cr2 cr3 crw nef nrw arw sr2 srf srw orf rw2 rwl raf pef x3f 3fr iiq erf mrw kdc dcr mos " +
  "tga pcx ppm pgm pbm pnm pfm exr hdr psd psb ico dcm dds";
const UNDECODABLE_EXTENSIONS: ReadonlySet<string> = new Set(UNDECODABLE.split(" "));

const LEFTOVERS = ["thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"];

/**
 * True for a hidden file or folder, or one left behind by a system or an archive; these are never part of a dataset.
 */
export const isClutter = (name: string): boolean => name.startsWith(".") || LEFTOVERS.includes(name.toLowerCase());

/** Extension of a file name, in lower case, without the dot; "" if nothing stands before or after the dot. */
export const extensionOf = (path: string): string => /[^/]\.([^./]+)$/.exec(path)?.[1]!.toLowerCase() ?? "";

export const isImage = (path: string): boolean => IMAGE_EXTENSIONS.includes(extensionOf(path));

/** True if a file's extension is that of an image format that cannot be decoded. */
export const isUndecodable = (path: string): boolean => UNDECODABLE_EXTENSIONS.has(extensionOf(path));

/** A name normalised for comparison: Unicode NFC, lower case. */
export const folded = (name: string): string => name.normalize("NFC").toLowerCase();

/** A path without its extension. */
export const stemOf = (path: string): string => path.replace(/\.[^./]*$/, "");

export const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The path of a name in a folder; the root is "". */
export const within = (folder: string, name: string): string => (folder === "" ? name : `${folder}/${name}`);

/** The images below a root, sorted by path, and their folders. Hidden files are ignored. */
export class FileTree {
  readonly name: string;
  readonly images: readonly string[];
  /** Images of formats that cannot be decoded, in order. */
  readonly undecodable: readonly string[];
  /** Number of files, including images. */
  readonly fileCount: number;
  readonly #files: ReadonlySet<string>;
  #byFolded: ReadonlyMap<string, string | null> | null = null;
  readonly #folders = new Map<string, readonly string[]>();

  /**
   * @param name of the root
   * @param files paths relative to the root, with forward slashes, in any order
   */
  constructor(name: string, files: readonly string[]) {
    const shown = files.filter((path) => !path.split("/").some(isClutter));
    this.name = name;
    this.images = shown.filter(isImage).sort(byCodeUnits);
    this.undecodable = shown.filter(isUndecodable).sort(byCodeUnits);
    this.fileCount = shown.length;
    this.#files = new Set(shown);
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /**
   * Finds the file that a list names: the exact path, or the only one that differs from it just in case, Unicode form,
   * backslashes for slashes, or a leading "./"; null if there is none.
   */
  locate(path: string): string | null {
    if (this.#files.has(path)) return path;
    this.#byFolded ??= uniqueBy([...this.#files], folded);
    const plain = path.replaceAll("\\", "/").replace(/^(?:\.\/+)+/, "");
    return this.#files.has(plain) ? plain : (this.#byFolded.get(folded(plain)) ?? null);
  }

  /** The images in a folder, at any depth. */
  below(folder: string): readonly string[] {
    return folder === ""
      ? this.images
      : this.images.slice(this.#firstFrom(`${folder}/`), this.#firstFrom(`${folder}0`)); // "0" follows "/"
  }

  /** Names of a folder's direct subfolders that contain images, sorted. */
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

  /** The first of the given names that is a subfolder, ignoring case, as a path; null if there is none. */
  find(folder: string, names: readonly string[]): string | null {
    const there = this.folders(folder);
    for (const name of names) {
      const found = there.find((other) => other === name) ?? there.find((other) => folded(other) === name);
      if (found !== undefined) return within(folder, found);
    }
    return null;
  }

  /** Summary of the root's contents for an error message: "a/ (12 images), b/ (1 image), 3 images". */
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

/** Groups values by key, in order. */
export function grouped<T>(values: readonly T[], keyOf: (value: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** Values by their keys; null for a key that several values share. */
export function uniqueBy<T>(values: readonly T[], keyOf: (value: T) => string): ReadonlyMap<string, T | null> {
  const found = new Map<string, T | null>();
  for (const value of values) {
    const key = keyOf(value);
    found.set(key, found.has(key) ? null : value);
  }
  return found;
}

/** One of some paths, as an example: "such as a.png"; just "a.png" if it is the only one. */
export const suchAs = (paths: readonly string[]): string => `${paths.length > 1 ? "such as " : ""}${paths[0]!}`;

/** "1 image", "3 images". */
export const images = (count: number): string => `${count} image${count === 1 ? "" : "s"}`;

/**
 * Describes image files that cannot be decoded, with the remedy: "3 files cannot be decoded (.heic 2, .dng 1): convert
 * them to png or jpg".
 */
export function undecodableWords(paths: readonly string[]): string {
  const counts = [...grouped(paths, extensionOf)].map(([extension, own]) => `.${extension} ${own.length}`);
  const many = paths.length > 1;
  return (
    `${paths.length} image ${many ? "files" : "file"} of formats that cannot be decoded ` +
    `(${counts.join(", ")}): convert ${many ? "them" : "it"} to png or jpg`
  );
}
