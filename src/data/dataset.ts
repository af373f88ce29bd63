import { InputError } from "../runtime/errors.ts";

/** An image of a dataset, as a place in it. Paths are relative to the dataset's root, with forward slashes. */
export interface Item {
  readonly path: string;
  readonly defective: boolean;
  /** "good", or the name of its folder. */
  readonly defect: string;
  /** Ground truth, where there is one. */
  readonly maskPath: string | null;
}

export interface DatasetClass {
  readonly name: string;
  /** Good images. */
  readonly train: readonly Item[];
  readonly test: readonly Item[];
}

export interface Dataset {
  readonly classes: readonly DatasetClass[];
}

/** Image formats by file name, in lower case. */
export const IMAGE_EXTENSIONS: readonly string[] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

/**
 * Recognises a dataset by its layout: MVTec's (`train/good`, `test/<good or defect>`, `ground_truth/<defect>`), a folder
 * of such folders (a class each), or a plain folder of good images.
 *
 * @param files paths relative to the root, with forward slashes, in any order
 * @param name of the root, which names its class where there is only one
 * @throws InputError if there is no image, or no good one to learn from in an MVTec layout
 */
export function recogniseDataset(files: readonly string[], name: string): Dataset {
  const images = files.filter(isImage).sort(byCodeUnits);
  if (images.length === 0) {
    const found = files.length === 0 ? "it is empty" : `none of its ${files.length} files is one`;
    throw new InputError(`${name}: no images, ${found}; images end in ${IMAGE_EXTENSIONS.join(", ")}`);
  }
  const single = mvtecClass(images, "", name);
  if (single) return { classes: [single] };
  const folders = [...new Set(images.filter((path) => path.includes("/")).map((path) => path.slice(0, path.indexOf("/"))))];
  const classes = folders.map((folder) => mvtecClass(images, `${folder}/`, folder)).filter((found) => found !== null);
  if (classes.length > 0) return { classes };
  return { classes: [{ name, train: images.map((path) => goodItem(path)), test: [] }] };
}

/** The class below `prefix` if it is laid out as MVTec's, else null. */
function mvtecClass(images: readonly string[], prefix: string, name: string): DatasetClass | null {
  const below = images.filter((path) => path.startsWith(prefix));
  const inFolder = (folder: string) => below.filter((path) => path.startsWith(`${prefix}${folder}/`));
  const [train, test] = [inFolder("train"), inFolder("test")];
  if (train.length === 0 && test.length === 0) return null;
  const good = inFolder("train/good");
  if (good.length === 0) throw new InputError(`${name}: ${prefix}train/good holds no images; good images to learn from belong there`);
  const masks = new Map(inFolder("ground_truth").map((path) => [stemOf(path), path]));
  return {
    name,
    train: good.map(goodItem),
    test: test.map((path) => {
      const [defect = ""] = path.slice(`${prefix}test/`.length).split("/");
      if (defect === "good") return goodItem(path);
      const stem = stemOf(path.replace(`${prefix}test/`, `${prefix}ground_truth/`));
      return { path, defective: true, defect, maskPath: masks.get(`${stem}_mask`) ?? masks.get(stem) ?? null };
    }),
  };
}

const goodItem = (path: string): Item => ({ path, defective: false, defect: "good", maskPath: null });

const stemOf = (path: string): string => path.replace(/\.[^./]*$/, "");

const isImage = (path: string): boolean => IMAGE_EXTENSIONS.includes(path.slice(path.lastIndexOf(".") + 1).toLowerCase());

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
