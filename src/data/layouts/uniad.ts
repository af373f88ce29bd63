import { isObject, parseJson, RECORD } from "../../io/json.ts";
import { InputError } from "../../runtime/errors.ts";
import { isDefectiveLabel, isGoodName } from "../names.ts";
import { within, type FileTree } from "../tree.ts";
import type { Layout } from "./layout.ts";
import { readEntries, type Entry } from "./listed.ts";

const TRAIN = "train.json";
const TEST = "test.json";
const LINE = '{"filename": "a/b.png", "label": 0 or 1, "clsname": "a", "maskname": "a/m.png"}';

/** @see https://github.com/zhiyuanyou/UniAD */
export const uniad: Layout = {
  format: "uniad",
  title: "UniAD's json lines",
  rule:
    `${TRAIN} and ${TEST} hold one JSON object a line: ` +
    `filename, label (0 or good, 1 or defective), clsname, maskname; ` +
    `files lie here or in one folder below`,
  list: `${TRAIN} and ${TEST}`,
  fits: (tree) => tree.has(TRAIN) && tree.has(TEST),
  async read(tree, { readText }) {
    const train = parseLines(tree, TRAIN, await readText(TRAIN));
    const test = parseLines(tree, TEST, await readText(TEST));
    const lines = [...train, ...test];
    const folder =
      ["", ...tree.folders("")].find((folder) =>
        lines.some(({ image }) => tree.locate(within(folder, image)) !== null),
      ) ?? "";
    const placed = (entry: Entry): Entry => ({
      ...entry,
      image: within(folder, entry.image),
      mask: entry.mask && within(folder, entry.mask),
    });
    const entries = lines.map(placed);
    const masks = entries.flatMap(({ mask }) => (mask !== null && tree.locate(mask)) || []);
    return readEntries(tree, entries, ({ training }) => (training ? TRAIN : TEST), masks);
  },
};

function parseLines(tree: FileTree, list: string, text: string): Entry[] {
  return text.split("\n").flatMap((line, i): Entry[] => {
    if (line.trim() === "") return [];
    const wrong = (problem: string) =>
      new InputError(
        `${tree.name}: ${list} line ${i + 1} ${problem}; expected ${LINE} (the layout "folder" reads folders instead)`,
      );
    let value: unknown;
    try {
      value = parseJson(line, RECORD);
    } catch {
      throw wrong("is not a JSON object");
    }
    if (!isObject(value)) throw wrong("is not a JSON object");
    const { filename, label, label_name: labelName, clsname, maskname } = value;
    if (typeof filename !== "string" || filename === "") throw wrong("has no filename");
    if (typeof clsname !== "string" || clsname === "") throw wrong("has no clsname");
    const defective = isDefectiveLabel(label ?? labelName);
    if (defective === null) throw wrong("has no label of 0 or 1");
    if (maskname !== undefined && maskname !== null && typeof maskname !== "string")
      throw wrong("has a maskname that is no text");
    const parent = filename.split(/[\\/]/).at(-2);
    return [
      {
        className: clsname,
        training: list === TRAIN,
        image: filename,
        defect: !defective ? null : parent === undefined || parent === "." || isGoodName(parent) ? "defect" : parent,
        mask: maskname || null,
      },
    ];
  });
}
