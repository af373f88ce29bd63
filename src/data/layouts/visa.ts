import { InputError } from "../../runtime/errors.ts";
import { isDefectiveLabel } from "../names.ts";
import { within, type FileTree } from "../tree.ts";
import { parseCsv } from "./csv.ts";
import type { Layout } from "./layout.ts";
import { readEntries, type Entry } from "./listed.ts";

const LIST = "split_csv/1cls.csv";
const SHOWN = 80; // characters of a wrong value shown in an error
const COLUMNS = ["object", "split", "label", "image", "mask"];

/** @see https://github.com/amazon-science/spot-diff */
export const visa: Layout = {
  format: "visa",
  title: "VisA, as it is published",
  rule:
    `${LIST} says for each image its class, whether to train on it, whether it is normal, and its mask; ` +
    `images lie in <class>/Data/Images, masks in <class>/Data/Masks`,
  list: LIST,
  fits: (tree) => tree.has(LIST) || dataFolders(tree, "Images").length > 0,
  async read(tree, { readText }) {
    if (!tree.has(LIST)) {
      throw new InputError(
        `${tree.name}: VisA's images are there, but not ${LIST}, which labels them; ` +
          `name the folder that holds split_csv, or put it here`,
      );
    }
    const { columns, records } = parseCsv(await readText(LIST), COLUMNS);
    const absent = COLUMNS.filter((column) => !columns.includes(column));
    if (absent.length > 0)
      throw new InputError(
        `${tree.name}: ${LIST} has no column ${absent.join(", ")}; its first line is ${COLUMNS.join(",")}`,
      );
    const entries = records.map(({ object, split, label, image, mask }, i): Entry => {
      const wrong = (column: string, value: string | undefined, expected: string) =>
        new InputError(
          `${tree.name}: ${LIST} line ${i + 2}: the ${column} is "${value?.slice(0, SHOWN)}"; expected ${expected}`,
        );
      if (split !== "train" && split !== "test") throw wrong("split", split, "train or test");
      const defective = isDefectiveLabel(label);
      if (defective === null) throw wrong("label", label, "normal or anomaly");
      if (!object || !image) throw wrong(object ? "image" : "object", "", object ? "a path" : "a class");
      return {
        className: object,
        training: split === "train",
        image,
        defect: defective ? label! : null,
        mask: mask || null,
      };
    });
    return readEntries(
      tree,
      entries,
      () => LIST,
      dataFolders(tree, "Masks").flatMap((folder) => tree.below(folder)),
    );
  },
};

/** `Data/<name>` of the root and of its folders. */
const dataFolders = (tree: FileTree, name: "Images" | "Masks"): string[] =>
  ["", ...tree.folders("")]
    .map((folder) => within(folder, `Data/${name}`))
    .filter((folder) => tree.below(folder).length > 0);
