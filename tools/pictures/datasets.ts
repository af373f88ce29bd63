import { LAYOUT_CASES, type LayoutCase } from "../../test/harness/layouts.ts";
import { circle, line, path, picture, rectangle, short, SMALL, text, type Mark, type Point } from "./draw.ts";
import { MARGIN, WIDTH } from "./flow.ts";

// The trees are the cases that the tests of layouts read: tiny sets of each.
const FOLDERS = [
  "a plain folder with test images and masks",
  "MVTec AD, a folder for each class",
  "BTAD: ok and ko, bmp and png mixed",
  "MVTec LOCO: several masks an image",
  "MVTec AD 2: public test images with their masks among them",
  "MVTec 3D-AD: photographs, depth and masks below each kind",
];
const LISTS = [
  "VisA with its split in a csv file, upper-case extensions",
  "UniAD's json lines, images in a folder beside them",
  "Real-IAD: a json file for each class, the largest of its sizes",
  "KolektorSDD2: a mask beside each image, black for good ones",
  "DAGM: masks of defective images alone",
];
/** Layouts that have the same folders. */
const TITLES: Readonly<Record<string, string>> = { mvtec: "mvtec, goodsad, mpdd" };

type Kind = "train" | "good" | "defective" | "mask" | "black" | "list" | "left out";
const KINDS: readonly (readonly [kind: Kind, words: string])[] = [
  ["train", "good, to learn from"],
  ["good", "good, to test"],
  ["defective", "defective, to test"],
  ["mask", "where the defect is"],
  ["black", "black: its image is good"],
  ["list", "list that is read"],
  ["left out", "left out"],
];
const [LINE, INDENT] = [19, 15];
const COLUMN = (WIDTH - 2 * MARGIN + 16) / 2;

/** The kind that a layout takes each of its files for. */
function kindsOf({ images, texts = {}, black = [], classes }: LayoutCase): Map<string, Kind> {
  const kinds = new Map<string, Kind>(images.map((path) => [path, "left out"]));
  for (const mask of black) kinds.set(mask, "black");
  for (const name of Object.keys(texts)) if (/\.(csv|json)$/.test(name)) kinds.set(name, "list");
  for (const { train, test } of classes) {
    for (const path of train) kinds.set(path, "train");
    for (const [path, defect, masks = []] of test) {
      kinds.set(path, defect === "good" ? "good" : "defective");
      for (const mask of masks) kinds.set(mask, "mask");
    }
  }
  return kinds;
}

/** The sign of a kind, told by its shape as well as its colour. */
function sign([x, y]: Point, kind: Kind): Mark {
  const paths = {
    defective: `M${short(x)} ${short(y - 6)}l6 6l-6 6l-6 -6z`,
    list: `M${short(x - 4.5)} ${short(y - 4)}h9m-9 4h9m-9 4h6`,
    "left out": `M${short(x - 4)} ${short(y - 4)}l8 8m0 -8l-8 8`,
  };
  switch (kind) {
    case "train":
      return circle([x, y], 5, { fill: "green" });
    case "good":
      return circle([x, y], 4.2, { stroke: "green", width: 2 });
    case "defective":
      return path(paths.defective, { fill: "red" });
    case "mask":
      return rectangle([x - 4.5, y - 4.5], 9, 9, { fill: "purple", radius: 1 });
    case "black":
      return rectangle([x - 4, y - 4], 8, 8, { stroke: "purple", radius: 1 });
    default:
      return path(paths[kind], { stroke: "quiet", width: 1.6 });
  }
}

/** The contents of a folder by name: folders, and the paths of files. */
interface Folder {
  readonly [name: string]: Folder | string;
}

function treeOf(paths: readonly string[], from = ""): Folder {
  const names = new Set(paths.map((path) => path.slice(from.length).split("/")[0]!));
  const below = (name: string): string[] => paths.filter((path) => path.startsWith(`${from}${name}/`));
  return Object.fromEntries(
    [...names].sort().map((name) => {
      const inside = below(name);
      return [name, inside.length > 0 ? treeOf(inside, `${from}${name}/`) : `${from}${name}`];
    }),
  );
}

/** The lines of a tree from a point, and where they end. */
function tree([x, y]: Point, each: LayoutCase): { readonly marks: Mark[]; readonly bottom: number } {
  const kinds = kindsOf(each);
  const marks: Mark[] = [text([x, y + 14], TITLES[each.format] ?? each.format, { bold: true })];
  let at = y + 20;
  const show = (folder: Folder, depth: number): void => {
    const left = x + depth * INDENT;
    const start = at;
    let end = at;
    for (const [name, content] of Object.entries(folder)) {
      const middle = at + LINE / 2;
      end = middle;
      if (depth > 0)
        marks.push(
          line(
            [
              [left - 9, middle],
              [left - 2, middle],
            ],
            { stroke: "line", width: 1 },
          ),
        );
      if (typeof content === "string") {
        const kind = kinds.get(content)!;
        marks.push(sign([left + 5, middle], kind));
        marks.push(text([left + 16, middle + 5], name, { size: SMALL, role: kind === "left out" ? "quiet" : "ink" }));
        at += LINE;
      } else {
        marks.push(text([left, middle + 5], `${name}/`, { size: SMALL }));
        at += LINE;
        show(content, depth + 1);
      }
    }
    if (depth > 0)
      marks.push(
        line(
          [
            [left - 9, start - 1],
            [left - 9, end],
          ],
          { stroke: "line", width: 1 },
        ),
      );
  };
  show(treeOf([...kinds.keys()]), 0);
  return { marks, bottom: at };
}

function trees(title: string, names: readonly string[], kinds: readonly Kind[]): string {
  const cases = names.map((name) => {
    const found = LAYOUT_CASES.find(({ what }) => what === name);
    if (!found) throw new Error(`there is no case of a layout named "${name}"`);
    return found;
  });
  const legend = KINDS.filter(([kind]) => kinds.includes(kind)).flatMap(([kind, words], i): Mark[] => {
    const [x, y] = [MARGIN + (i % 2) * COLUMN, MARGIN + 6 + Math.floor(i / 2) * 22];
    return [sign([x + 5, y], kind), text([x + 18, y + 5], words, { size: SMALL, role: "quiet" })];
  });
  const first = MARGIN + 22 * Math.ceil(kinds.length / 2) + 12;
  const ends = [first, first];
  const marks = cases.flatMap((each) => {
    const column = ends[1]! < ends[0]! ? 1 : 0;
    const { marks, bottom } = tree([MARGIN + column * COLUMN, ends[column]!], each);
    ends[column] = bottom + 18;
    return marks;
  });
  const described = cases.map(({ format, images }) => `${TITLES[format] ?? format}: ${images.join(", ")}`);
  return picture(
    { width: WIDTH, height: Math.max(...ends), title, description: `Folder trees. ${described.join(". ")}.` },
    [legend, marks],
  );
}

/** Layouts that are told by their folders. */
export const datasets = (): string =>
  trees("Layouts of datasets: folders", FOLDERS, ["train", "good", "defective", "mask", "left out"]);

/** Layouts with lists, or with masks that tell which images are good. */
export const datasetLists = (): string =>
  trees("Layouts of datasets: lists and masks", LISTS, [
    "train",
    "good",
    "defective",
    "mask",
    "black",
    "list",
    "left out",
  ]);
