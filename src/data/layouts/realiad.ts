import { isObject, requireJson, RECORD } from "../../io/json.ts";
import { InputError } from "../../runtime/errors.ts";
import { within, type FileTree } from "../tree.ts";
import type { Layout } from "./layout.ts";
import { readEntries, type Entry } from "./listed.ts";

const LISTS = ["realiad_jsons", "realiad_jsons/realiad_jsons"];
const IMAGES = /^realiad_(\d+)$/;
const EXPECTED =
  '{"meta": {"prefix": "a/", "normal_class": "OK"}, "train": [{"image_path": "OK/b.jpg", "anomaly_class": "OK", "mask_path": null}], "test": [...]}';

/** @see https://realiad4ad.github.io/Real-IAD/ */
export const realiad: Layout = {
  format: "realiad",
  title: "Real-IAD",
  rule:
    "realiad_jsons/<class>.json lists images to train on and to test, with what is wrong and masks; files lie in realiad_1024/<class>, or another size, " +
    "of which the largest is read",
  list: "realiad_jsons/<class>.json",
  fits: (tree) => imageFolders(tree).some((folder) => tree.folders(folder).some((name) => listOf(tree, name) !== null)),
  async read(tree, { readText }) {
    const [folder, ...smaller] = imageFolders(tree) as [string, ...string[]];
    const entries: (Entry & { readonly list: string })[] = [];
    for (const name of tree.folders(folder)) {
      const list = listOf(tree, name);
      if (list !== null)
        for (const entry of entriesOf(tree, name, list, await readText(list), folder)) entries.push({ ...entry, list });
    }
    const masks = entries.flatMap(({ mask }) => (mask !== null && tree.locate(mask)) || []);
    const lists = new Map<Entry, string>(entries.map((entry) => [entry, entry.list]));
    const reading = readEntries(tree, entries, (entry) => lists.get(entry) ?? LISTS[0]!, masks);
    return { ...reading, aside: [...reading.aside, ...smaller.flatMap((other) => tree.below(other))] };
  },
};

/** Folders of images, the largest ones first. */
const imageFolders = (tree: FileTree): string[] =>
  tree
    .folders("")
    .filter((name) => IMAGES.test(name))
    .sort((a, b) => Number(IMAGES.exec(b)![1]) - Number(IMAGES.exec(a)![1]));

const listOf = (tree: FileTree, name: string): string | null =>
  LISTS.map((folder) => `${folder}/${name}.json`).find((path) => tree.has(path)) ?? null;

function entriesOf(tree: FileTree, name: string, list: string, text: string, folder: string): Entry[] {
  const wrong = (problem: string): InputError =>
    new InputError(`${tree.name}: ${list} ${problem}; expected ${EXPECTED}`);
  const json = requireJson(text, RECORD, `${tree.name}: ${list}`);
  const meta = isObject(json) ? json["meta"] : null;
  if (!isObject(json) || !isObject(meta)) throw wrong("has no meta");
  const { prefix = `${name}/`, normal_class: normal } = meta;
  if (typeof prefix !== "string" || typeof normal !== "string") throw wrong("has no normal_class");
  return (["train", "test"] as const).flatMap((part) => {
    const listed = json[part];
    if (!Array.isArray(listed)) throw wrong(`has no list ${part}`);
    return listed.map((entry: unknown, i): Entry => {
      const { image_path: image, anomaly_class: kind, mask_path: mask } = isObject(entry) ? entry : {};
      if (typeof image !== "string" || image === "") throw wrong(`has no image_path in ${part}, number ${i + 1}`);
      if (typeof kind !== "string") throw wrong(`has no anomaly_class in ${part}, number ${i + 1}`);
      const placed = (path: string): string => within(folder, `${prefix}${path}`);
      return {
        className: name,
        training: part === "train",
        image: placed(image),
        defect: kind === normal ? null : kind,
        mask: typeof mask === "string" && mask !== "" ? placed(mask) : null,
      };
    });
  });
}
