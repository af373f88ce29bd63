import { baseOf, stemOf, type FileTree } from "../tree.ts";
import { classFolders, hasTrainGood, readFolders, testFolder, type FolderNames } from "./folders.ts";
import type { Layout } from "./layout.ts";

// The sets whose folders are named as MVTec AD's, and BTAD, which says ok and ko.

const NAMES: FolderNames = { good: ["good"], masks: ["ground_truth"] };
const BTAD_NAMES: FolderNames = { good: ["ok"], masks: ["ground_truth"] };

const fits = (tree: FileTree): boolean => classFolders(tree).some((folder) => hasTrainGood(tree, folder, NAMES.good));
const read = (tree: FileTree) => readFolders(tree, NAMES);

const STEM_MASKS =
  "train/good: good images; test/good and test/<defect>: images to judge; "
  + "ground_truth/<defect>/NAME_mask.png or NAME.png: where the defect is";

export const mvtec: Layout = { format: "mvtec", title: "MVTec AD's layout", rule: STEM_MASKS, fits, read };

export const goodsad: Layout = {
  format: "goodsad",
  title: "GoodsAD",
  rule: STEM_MASKS,
  classNames: ["cigarette_box", "drink_bottle", "drink_can", "food_bottle", "food_box", "food_package"],
  fits,
  read,
};

export const mpdd: Layout = {
  format: "mpdd",
  title: "MPDD",
  rule: STEM_MASKS,
  classNames: ["bracket_black", "bracket_brown", "bracket_white", "connector", "metal_plate", "tubes"],
  fits,
  read,
};

/** @see https://github.com/amazon-science/spot-diff for the set, whose script writes this form of it */
export const visaConverted: Layout = {
  format: "visa",
  title: "VisA, converted to MVTec AD's layout",
  rule: STEM_MASKS,
  classNames: [
    "candle",
    "capsules",
    "cashew",
    "chewinggum",
    "fryum",
    "macaroni1",
    "macaroni2",
    "pcb1",
    "pcb2",
    "pcb3",
    "pcb4",
    "pipe_fryum",
  ],
  fits,
  read,
};

export const btad: Layout = {
  format: "btad",
  title: "BTAD",
  rule: "train/ok: good images; test/ok and test/ko: images to judge; ground_truth/ko/NAME.png: where the defect is",
  fits: (tree) => classFolders(tree).some((folder) => hasTrainGood(tree, folder, BTAD_NAMES.good)),
  read: (tree) => readFolders(tree, BTAD_NAMES),
};

export const loco: Layout = {
  format: "loco",
  title: "MVTec LOCO AD",
  rule: "train/good: good images; test/good and test/<anomaly>: images to judge; "
    + "ground_truth/<anomaly>/NAME/*.png: where it is, all masks together; validation/good is left alone",
  fits: (tree) =>
    fits(tree) && classFolders(tree).some((folder) => validationImages(tree, folder).length > 0 || hasMaskFolders(tree, folder)),
  read(tree) {
    return { ...readFolders(tree, NAMES), aside: classFolders(tree).flatMap((folder) => validationImages(tree, folder)) };
  },
};

function validationImages(tree: FileTree, folder: string): readonly string[] {
  const validation = tree.find(folder, ["validation"]);
  return validation === null ? [] : tree.below(validation);
}

/** Whether an image's masks lie in a folder of its name. */
function hasMaskFolders(tree: FileTree, folder: string): boolean {
  const [masks, test] = [tree.find(folder, NAMES.masks), testFolder(tree, folder)];
  if (masks === null || test === null) return false;
  return tree.folders(masks).some((kind) => {
    const stems = new Set(tree.below(`${test}/${kind}`).map((path) => stemOf(baseOf(path))));
    return tree.folders(`${masks}/${kind}`).some((name) => stems.has(name));
  });
}
