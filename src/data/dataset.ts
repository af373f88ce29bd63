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

/** The classes of a listing's images, sorted, if they are laid out in its way; else null. */
type Layout = (images: readonly string[], name: string) => DatasetClass[] | null;

/** The first that fits is taken. */
const LAYOUTS: readonly Layout[] = [oneMvtecClass, mvtecClasses, goodImages];

/**
 * Recognises a dataset by its layout: MVTec's (`train/good`, `test/<good or defect>`, `ground_truth/<defect>`), a folder
 * of such folders (a class each), or a plain folder of good images. Hidden files are left out.
 *
 * @param files paths relative to the root, with forward slashes, in any order
 * @param name of the root, which names its class where there is only one
 * @throws InputError if there is no image, in an MVTec layout no good one to learn from, or a test image of no kind
 */
export function recogniseDataset(files: readonly string[], name: string): Dataset {
  const shown = files.filter((path) => !path.split("/").some((part) => part.startsWith(".")));
  const images = shown.filter(isImage).sort(byCodeUnits);
  if (images.length === 0) {
    const found = shown.length === 0 ? "it is empty" : `none of its ${shown.length} files is one`;
    throw new InputError(`${name}: no images, ${found}; images end in ${IMAGE_EXTENSIONS.join(", ")}`);
  }
  for (const layout of LAYOUTS) {
    const classes = layout(images, name);
    if (classes) return { classes };
  }
  throw new Error("unreachable: any images make a plain folder");
}

function oneMvtecClass(images: readonly string[], name: string): DatasetClass[] | null {
  const found = mvtecClass(images, "", name);
  return found && [found];
}

function mvtecClasses(images: readonly string[]): DatasetClass[] | null {
  const folders = new Set(images.filter((path) => path.includes("/")).map((path) => path.slice(0, path.indexOf("/"))));
  const found = [...folders].sort(byCodeUnits).map((folder) => mvtecClass(images, `${folder}/`, folder));
  const classes = found.filter((entry) => entry !== null);
  return classes.length > 0 ? classes : null;
}

function goodImages(images: readonly string[], name: string): DatasetClass[] {
  return [{ name, train: images.map(goodItem), test: [] }];
}

/** The class below `prefix` if it is laid out as MVTec's, else null. */
function mvtecClass(images: readonly string[], prefix: string, name: string): DatasetClass | null {
  const inFolder = (folder: string) => images.filter((path) => path.startsWith(`${prefix}${folder}/`));
  const [train, test] = [inFolder("train"), inFolder("test")];
  if (train.length === 0 && test.length === 0) return null;
  const good = inFolder("train/good");
  if (good.length === 0) throw new InputError(`${name}: ${prefix}train/good holds no images; good images to learn from belong there`);
  const masks = new Map(inFolder("ground_truth").map((path) => [stemOf(path), path]));
  return {
    name,
    train: good.map(goodItem),
    test: test.map((path) => {
      const below = path.slice(`${prefix}test/`.length);
      if (!below.includes("/")) {
        throw new InputError(`${name}: ${path} is neither good nor defective; test images belong in test/good or test/<defect>`);
      }
      const defect = below.slice(0, below.indexOf("/"));
      if (defect === "good") return goodItem(path);
      const stem = stemOf(`${prefix}ground_truth/${below}`);
      return { path, defective: true, defect, maskPath: masks.get(`${stem}_mask`) ?? masks.get(stem) ?? null };
    }),
  };
}

const goodItem = (path: string): Item => ({ path, defective: false, defect: "good", maskPath: null });

const stemOf = (path: string): string => path.replace(/\.[^./]*$/, "");

const isImage = (path: string): boolean => IMAGE_EXTENSIONS.some((extension) => path.toLowerCase().endsWith(`.${extension}`));

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
