import { baseOf, folded, stemOf, type FileTree } from "../tree.ts";
import { asideImages, classFolders, MASKS, readFolders, testFolder, trainGoodFolders } from "./by_folders.ts";
import type { Layout } from "./layout.ts";

// Sets whose folders are named as in MVTec AD; BTAD uses ok and ko.

const fits = (tree: FileTree): boolean =>
  classFolders(tree).some((folder) => trainGoodFolders(tree, folder).length > 0);
const read = readFolders;

const STEM_MASKS =
  "train/good: good images; test/good and test/<defect>: test images; " +
  "ground_truth/<defect>/NAME_mask.png or NAME.png: where the defect is";

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

/** @see https://github.com/amazon-science/spot-diff for the set; its script writes this form */
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
  rule: "train/ok: good images; test/ok and test/ko: test images; ground_truth/ko/NAME.png: where the defect is",
  fits: (tree) =>
    fits(tree) &&
    classFolders(tree).every((folder) => trainGoodFolders(tree, folder).every((good) => folded(baseOf(good)) === "ok")),
  read,
};

export const loco: Layout = {
  format: "loco",
  title: "MVTec LOCO AD",
  rule:
    "train/good: good images; test/good and test/<anomaly>: test images; " +
    "ground_truth/<anomaly>/NAME/*.png: where it is, all masks together; validation/good is left alone",
  fits: (tree) =>
    fits(tree) &&
    classFolders(tree).some((folder) => asideImages(tree, folder).length > 0 || hasMaskFolders(tree, folder)),
  read,
};

/** @see https://www.mvtec.com/company/research/datasets/mvtec-ad-2 */
export const mvtec2: Layout = {
  format: "mvtec2",
  title: "MVTec AD 2",
  rule:
    "train/good: good images; test_public/good and test_public/bad: test images; " +
    "test_public/ground_truth/bad/NAME_mask.png: where the defect is; " +
    "validation and test_private are left alone",
  fits: (tree) => fits(tree) && classFolders(tree).some((folder) => tree.find(folder, ["test_public"]) !== null),
  read,
};

/** @see https://www.mvtec.com/company/research/datasets/mvtec-3d-ad */
export const mvtec3d: Layout = {
  format: "mvtec3d",
  title: "MVTec 3D-AD, its photographs alone",
  rule:
    "train/good/rgb: good images; test/good/rgb and test/<defect>/rgb: test images; " +
    "test/<defect>/gt/NAME.png: where the defect is; " +
    "xyz and validation are left alone",
  fits: (tree) =>
    classFolders(tree).some((folder) =>
      trainGoodFolders(tree, folder).some((good) => tree.find(good, ["rgb"]) !== null),
    ),
  read,
};

/** True if an image's masks lie in a folder of its name. */
function hasMaskFolders(tree: FileTree, folder: string): boolean {
  const [masks, test] = [tree.find(folder, MASKS), testFolder(tree, folder)];
  if (masks === null || test === null) return false;
  return tree.folders(masks).some((kind) => {
    const stems = new Set(tree.below(`${test}/${kind}`).map((path) => stemOf(baseOf(path))));
    return tree.folders(`${masks}/${kind}`).some((name) => stems.has(name));
  });
}
