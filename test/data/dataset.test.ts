import { expect, test } from "vitest";
import { recogniseDataset } from "../../src/data/dataset.ts";

test("MVTec's layout, masks with and without _mask, other files aside", () => {
  const { classes } = recogniseDataset(
    ["train/good/b.PNG", "train/good/a.jpg", "test/good/0.png", "test/cut/1.png", "test/cut/2.JPG", "test/dent/3.png", "ground_truth/cut/1_mask.png", "ground_truth/cut/2.png", "readme.txt"],
    "bolts",
  );
  expect(classes).toHaveLength(1);
  const [{ name, train, test: items }] = classes as [(typeof classes)[number]];
  expect(name).toBe("bolts");
  expect(train.map(({ path }) => path)).toEqual(["train/good/a.jpg", "train/good/b.PNG"]);
  expect(items).toEqual([
    { path: "test/cut/1.png", defective: true, defect: "cut", maskPath: "ground_truth/cut/1_mask.png" },
    { path: "test/cut/2.JPG", defective: true, defect: "cut", maskPath: "ground_truth/cut/2.png" },
    { path: "test/dent/3.png", defective: true, defect: "dent", maskPath: null },
    { path: "test/good/0.png", defective: false, defect: "good", maskPath: null },
  ]);
});

test("a folder of such folders is a class each, in order of their names", () => {
  const { classes } = recogniseDataset(["z/train/good/0.png", "a/train/good/0.png", "a/test/cut/0.png", "notes/0.png"], "all");
  expect(classes.map(({ name, train, test: items }) => [name, train.length, items.length])).toEqual([["a", 1, 1], ["z", 1, 0]]);
});

test("classes are in order of their names, not of their paths", () => {
  const { classes } = recogniseDataset(["a-b/train/good/0.png", "a/train/good/0.png", "B/train/good/0.png"], "all");
  expect(classes.map(({ name }) => name)).toEqual(["B", "a", "a-b"]); // by code units; "a-b/" would come before "a/"
});

test("a class keeps to its own folder, whatever signs its name has", () => {
  const { classes } = recogniseDataset(["a$&/train/good/0.png", "a$&/test/cut/1.png", "a$&/ground_truth/cut/1.png", "ground_truth/cut/1.png"], "all");
  expect(classes[0]!.test[0]!.maskPath).toBe("a$&/ground_truth/cut/1.png");
});

test("hidden files and folders, and names that merely end in the letters of a format, are left out", () => {
  const { classes } = recogniseDataset([".cache/a.png", "b/.c.png", "png", "xpng", "a.png.txt", "d.png"], "parts");
  expect(classes.flatMap(({ train }) => train.map(({ path }) => path))).toEqual(["d.png"]);
});

test("a plain folder holds good images, at any depth", () => {
  const { classes } = recogniseDataset(["b.webp", "more/a.tiff", "c.txt"], "parts");
  expect(classes).toEqual([
    { name: "parts", test: [], train: [{ path: "b.webp", defective: false, defect: "good", maskPath: null }, { path: "more/a.tiff", defective: false, defect: "good", maskPath: null }] },
  ]);
});

test.each([
  ["nothing", [], "parts: no images, it is empty; images end in png, jpg"],
  ["text alone", ["a.txt", "b.md"], "parts: no images, none of its 2 files is one"],
  ["hidden images alone", [".a.png"], "parts: no images, it is empty"],
  ["a test image of no kind", ["train/good/a.png", "test/b.png"], "parts: test/b.png is neither good nor defective; test images belong in test/good or test/<defect>"],
  ["no good images to learn from", ["test/good/a.png"], "parts: train/good holds no images"],
  ["a class without good images", ["a/train/good/a.png", "b/test/good/a.png"], "b: b/train/good holds no images"],
])("%s is refused", (_what, files, message) => {
  expect(() => recogniseDataset(files, "parts")).toThrow(message);
});
