import type { Dataset, Item } from "./dataset.ts";
import { about, finding, type Finding } from "./finding.ts";
import { isDefectiveName, isGoodName, soundsGood } from "./names.ts";
import { byCodeUnits, extensionOf, grouped, images } from "./tree.ts";

/** Findings about files in a dataset's folder that are not part of it; shown also to users who only train or test. */
export function leftOut({ companions, undecodable, repeated, outputs }: Dataset): readonly Finding[] {
  const extensions = [...grouped(undecodable, extensionOf)]
    .map(([extension, own]) => `.${extension} ${own.length}`)
    .join(", ");
  return [
    about(
      undecodable,
      "problem",
      "undecodable",
      ["image file is of a format that cannot be decoded", "image files are of formats that cannot be decoded"],
      `left out (${extensions}); convert them to png or jpg`,
    ),
    about(
      companions,
      "remark",
      "no-photograph",
      ["image is not a photograph, judging by its name", "images are not photographs, judging by their names"],
      "left out: masks of good images, depth, heat maps, thumbnails; " +
        "rename them, or their folder, if they are photographs",
    ),
    about(
      repeated.map(({ path, reason }) => `${path} ${reason}`),
      "remark",
      "repeated",
      ["file or folder is there or listed more than once", "files or folders are there or listed more than once"],
      "each is read once",
    ),
    about(
      outputs,
      "remark",
      "outputs",
      ["folder holds pictures that bigrid wrote", "folders hold pictures that bigrid wrote"],
      "left out; results are better kept outside of the dataset",
    ),
  ].filter((found) => found !== null);
}

/** Findings about the interpretation of names, and about files that the layout does not use. */
export function layoutFindings({ unused, aside, twins, layout, classes }: Dataset): readonly (Finding | null)[] {
  const plain = layout.format === "folder" && classes.length === 1 ? classes[0]!.train : [];
  const topFolders = new Set(plain.flatMap(({ path }) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : [])));
  const doubtful = classes.flatMap(({ name, test }) =>
    [
      ...grouped(
        test.filter(({ defective, defect }) => defective && soundsGood(defect)),
        ({ defect }) => defect,
      ),
    ].map(([defect, own]) => `${name}: ${defect} (${images(own.length)})`),
  );
  const someGood = topFolders.size > 1 && [...topFolders].some(soundsGood);
  const items = classes.flatMap(({ train, test }) => [...train, ...test]);
  const saysOpposite = ({ path, defective }: Item): boolean => {
    const folder = path.split("/").at(-2);
    return folder !== undefined && (defective ? isGoodName(folder) : isDefectiveName(folder));
  };
  return [
    about(
      doubtful,
      "problem",
      "like-good",
      ["kind of defect has a name that may mean good", "kinds of defects have names that may mean good"],
      "read as defective; if these images are good, rename their folder to good",
    ),
    about(
      items.filter(saysOpposite).map(({ path, defective }) => `${path}: ${defective ? "defective" : "good"}`),
      "problem",
      "named-otherwise",
      [
        "image lies in a folder whose name contradicts how it is read",
        "images lie in folders whose names contradict how they are read",
      ],
      "the list decides, or the folder nearest to train or test",
    ),
    about(
      twins,
      "problem",
      "twins",
      ["image has another of its name beside it", "images have others of their names beside them, or are these"],
      "all are taken; if some are masks, depth or copies, move them away",
    ),
    finding(
      topFolders.size > 1,
      someGood ? "problem" : "remark",
      "one-class",
      `${topFolders.size} folders are read as one class${someGood ? ", all as good images" : ""}`,
      someGood
        ? "a name seems to say that only some are good; move good ones to train/good, others to test/<defect>"
        : "if they show different parts, move the images of each to PART/train/good",
      [...topFolders].sort(byCodeUnits),
    ),
    about(
      unused,
      "problem",
      "unused",
      ["image is not used", "images are not used"],
      "left out: the layout has no place for such files",
    ),
    about(
      aside,
      "remark",
      "aside",
      ["image is left alone", "images are left alone"],
      "the layout has such files, but neither training nor evaluation uses them",
    ),
  ];
}
