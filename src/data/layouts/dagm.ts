import { baseOf, folded, stemOf, uniqueBy, type FileTree } from "../tree.ts";
import { className, classFolders, defectItem, goodItem, readingOf, testFolder, trainFolder } from "./by_folders.ts";
import type { Layout, Reading } from "./layout.ts";

const LABELS = ["label", "labels"];

/** @see https://hci.iwr.uni-heidelberg.de/content/weakly-supervised-learning-industrial-optical-inspection */
export const dagm: Layout = {
  format: "dagm",
  title: "DAGM 2007",
  rule:
    "Train and Test: images; Train/Label/NAME_label.PNG and Test/Label/NAME_label.PNG: where the defect is; images without one are good; " +
    "defective ones in Train are left alone",
  fits: (tree) =>
    classFolders(tree).some((folder) =>
      [trainFolder(tree, folder), testFolder(tree, folder)].some(
        (part) => part !== null && tree.find(part, LABELS) !== null && tree.folders(part).length === 1,
      ),
    ),
  read(tree) {
    const classes = classFolders(tree).map((folder) => {
      const [train, test] = [trainFolder(tree, folder), testFolder(tree, folder)].map((part) => partOf(tree, part));
      return { name: className(tree, folder), train: train!, test: test! };
    });
    const parts = classes.flatMap(({ train, test }) => [train, test]);
    return {
      ...readingOf([]),
      classes: classes.map(({ name, train, test }) => ({
        name,
        train: train.images.filter(({ masks }) => masks.length === 0).map(({ path }) => goodItem(path)),
        test: test.images.map(({ path, masks }) =>
          masks.length === 0 ? goodItem(path) : defectItem(path, "defect", masks),
        ),
      })),
      aside: classes.flatMap(({ train }) =>
        train.images.filter(({ masks }) => masks.length > 0).map(({ path }) => path),
      ),
      companions: classes.flatMap(({ train }) => train.images.flatMap(({ masks }) => masks)),
      masks: parts.flatMap(({ labels }) => labels),
    } satisfies Reading;
  },
};

interface Part {
  readonly images: readonly { readonly path: string; readonly masks: readonly string[] }[];
  /** Everything in its folder of labels. */
  readonly labels: readonly string[];
}

/** The images of `Train` or `Test` with their masks. */
function partOf(tree: FileTree, part: string | null): Part {
  if (part === null) return { images: [], labels: [] };
  const folder = tree.find(part, LABELS);
  const labels = folder === null ? [] : tree.below(folder);
  const byName = uniqueBy(labels, (path) => folded(stemOf(baseOf(path)).replace(/_label$/i, "")));
  const images = tree
    .below(part)
    .filter((path) => folder === null || !path.startsWith(`${folder}/`))
    .map((path) => {
      const mask = byName.get(folded(stemOf(baseOf(path))));
      return { path, masks: mask ? [mask] : [] };
    });
  return { images, labels };
}
