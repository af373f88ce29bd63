import { describe, expect, test } from "vitest";
import { recogniseDataset, type Dataset } from "../../src/data/dataset.ts";
import { parseCsv } from "../../src/data/layouts/csv.ts";
import type { FormatName } from "../../src/data/layouts/layout.ts";
import { isGoodName, soundsGood } from "../../src/data/names.ts";
import { InputError } from "../../src/runtime/errors.ts";

function recognise(
  files: readonly string[],
  {
    name = "parts",
    format,
    texts = {},
  }: { name?: string; format?: FormatName; texts?: Readonly<Record<string, string>> } = {},
): Promise<Dataset> {
  return recogniseDataset(
    { name, files: [...files, ...Object.keys(texts)], unreadable: [], readText: async (path) => texts[path]! },
    { format },
  );
}

const trainPaths = ({ classes }: Dataset) => classes.flatMap(({ train }) => train.map(({ path }) => path));

test("MVTec's layout, masks with and without _mask, other files aside", async () => {
  const { classes, layout } = await recognise(
    [
      "train/good/b.PNG",
      "train/good/a.jpg",
      "test/good/0.png",
      "test/cut/1.png",
      "test/cut/2.JPG",
      "test/dent/3.png",
      "ground_truth/cut/1_mask.png",
      "ground_truth/cut/2.png",
      "readme.txt",
    ],
    { name: "bolts" },
  );
  expect(layout.format).toBe("mvtec");
  expect(classes).toHaveLength(1);
  const [{ name, train, test: items }] = classes as unknown as [(typeof classes)[number]];
  expect(name).toBe("bolts");
  expect(train.map(({ path }) => path)).toEqual(["train/good/a.jpg", "train/good/b.PNG"]);
  expect(items).toEqual([
    { path: "test/cut/1.png", defective: true, defect: "cut", masks: ["ground_truth/cut/1_mask.png"] },
    { path: "test/cut/2.JPG", defective: true, defect: "cut", masks: ["ground_truth/cut/2.png"] },
    { path: "test/dent/3.png", defective: true, defect: "dent", masks: [] },
    { path: "test/good/0.png", defective: false, defect: "good", masks: [] },
  ]);
});

test("classes are in order of their names, not of their paths", async () => {
  const { classes } = await recognise(["a-b/train/good/0.png", "a/train/good/0.png", "B/train/good/0.png"]);
  expect(classes.map(({ name }) => name)).toEqual(["B", "a", "a-b"]); // by code units; "a-b/" would come before "a/"
});

test("a class keeps to its own folder, whatever signs its name has", async () => {
  const { classes, unused } = await recognise([
    "a$&/train/good/0.png",
    "a$&/test/cut/1.png",
    "a$&/ground_truth/cut/1.png",
    "ground_truth/cut/1.png",
    "a$&b/1.png",
  ]);
  expect(classes[0]!.test[0]!.masks).toEqual(["a$&/ground_truth/cut/1.png"]);
  expect(unused).toEqual(["a$&b/1.png", "ground_truth/cut/1.png"]);
});

test("folders are found whatever their case, those of the very name before others", async () => {
  const { classes, unused } = await recognise(["Train/Good/0.png", "TEST/Cut/1.png", "Ground_Truth/Cut/1.png"]);
  expect(classes[0]).toMatchObject({
    train: [{ path: "Train/Good/0.png" }],
    test: [{ defect: "Cut", masks: ["Ground_Truth/Cut/1.png"] }],
  });
  expect(unused).toEqual([]);
  expect(trainPaths(await recognise(["Train/good/0.png", "train/good/1.png"]))).toEqual(["train/good/1.png"]);
});

test("several masks of an image, whatever they are called, are all its own", async () => {
  const files = [
    "train/good/0.png",
    "test/cut/1.png",
    "ground_truth/cut/1.png",
    "ground_truth/cut/1_mask.bmp",
    "ground_truth/cut/1/a.png",
    "ground_truth/cut/11_mask.png",
  ];
  const { classes, strayMasks } = await recognise(files);
  expect(classes[0]!.test[0]!.masks).toEqual([
    "ground_truth/cut/1.png",
    "ground_truth/cut/1/a.png",
    "ground_truth/cut/1_mask.bmp",
  ]);
  expect(strayMasks).toEqual(["ground_truth/cut/11_mask.png"]);
});

test("hidden files, what systems leave behind, and names that merely end in the letters of a format, are left out", async () => {
  const clutter = [
    ".cache/a.png",
    "b/.c.png",
    "Thumbs.db",
    "__MACOSX/d.png",
    "@eaDir/e.jpg",
    ".DS_Store",
    "png",
    "xpng",
    "a.png.txt",
  ];
  const dataset = await recognise([...clutter, "d.png"]);
  expect(trainPaths(dataset)).toEqual(["d.png"]);
  expect(dataset.unused).toEqual([]);
});

test("a set is known by its classes only where all of them are its own", async () => {
  const formatOf = async (names: readonly string[]) =>
    (await recognise(names.map((name) => `${name}/train/good/0.png`))).layout.format;
  expect(await formatOf(["drink_can", "food_box"])).toBe("goodsad");
  expect(await formatOf(["drink_can", "bolt"])).toBe("mvtec");
  expect((await recognise(["train/good/0.png"], { name: "tubes" })).layout.format).toBe("mpdd");
});

test("a list may name what is not there: it is told, and the rest is read", async () => {
  const csv =
    "object,split,label,image,mask\na,train,normal,a/1.JPG,\na,train,normal,a/2.JPG,\na,test,anomaly,a/3.JPG,a/3.png\n";
  const { classes, unreadable } = await recognise(["a/1.JPG", "a/3.JPG"], { texts: { "split_csv/1cls.csv": csv } });
  expect(classes[0]).toMatchObject({ train: [{ path: "a/1.JPG" }], test: [{ path: "a/3.JPG", masks: [] }] });
  expect(unreadable).toEqual([
    { path: "a/2.JPG", reason: "split_csv/1cls.csv names it, but it is not there" },
    { path: "a/3.png", reason: "split_csv/1cls.csv names it, but it is not there" },
  ]);
});

test("a defective image in a list of what to train on is no good one", async () => {
  const line = (name: string, label: number) => JSON.stringify({ filename: name, label, clsname: "a" });
  const texts = { "train.json": `${line("1.png", 0)}\n${line("2.png", 1)}`, "test.json": "" };
  const dataset = await recognise(["1.png", "2.png"], { texts });
  expect(trainPaths(dataset)).toEqual(["1.png"]);
  expect(dataset.aside).toEqual(["2.png"]);
});

test("comma-separated text: quotes, empty fields, and either end of line", () => {
  const { columns, records } = parseCsv('\uFEFFa,b,c\r\n1,"x, ""y""\nz",\n\n,,3');
  expect(columns).toEqual(["a", "b", "c"]);
  expect(records).toEqual([
    { a: "1", b: 'x, "y"\nz', c: "" },
    { a: "", b: "", c: "3" },
  ]);
});

test("comma-separated text of any kind is read in time that grows with its length alone", () => {
  const long = 300_000; // whose square is hours
  expect(parseCsv(`${"x".repeat(long)}\ry`).columns).toEqual([`${"x".repeat(long)}\ry`]);
  expect(parseCsv(`"${'""'.repeat(long)}",b`).columns).toEqual(['"'.repeat(long), "b"]);
  expect(parseCsv(`a,"b${",c".repeat(10)}`).columns).toHaveLength(12); // a quote that is never closed
  const { columns, records } = parseCsv(`${"a,".repeat(long)}b\n${"1\n".repeat(long)}`, ["b"]);
  expect([columns.length, records.length, records[0]]).toEqual([long + 1, long, { b: "" }]);
});

const verdicts = ({ classes }: Dataset) =>
  Object.fromEntries(
    classes.flatMap(({ train, test }) => [...train, ...test]).map(({ path, defective }) => [path, defective]),
  );

test.each(["good", "ok", "normal", "GOOD", "Ok", "Normal", "defect-free", "no_defects"])(
  "%s means good, in train and test and beside any other word for it",
  async (word) => {
    for (const other of ["good", "ok", "NORMAL"]) {
      const files = [
        `train/${other}/0.png`,
        `test/${word}/1.png`,
        "test/ng/2.png",
        `ground_truth/${word}/1_mask.png`,
        "ground_truth/ng/2_mask.png",
      ];
      const dataset = await recognise(files);
      expect(verdicts(dataset)).toEqual({
        [`train/${other}/0.png`]: false,
        [`test/${word}/1.png`]: false,
        "test/ng/2.png": true,
      });
      expect(dataset).toMatchObject({ strayMasks: [], unused: [], companions: [`ground_truth/${word}/1_mask.png`] });
      expect(trainPaths(await recognise([`train/${word}/0.png`, `train/${other}/1.png`])).sort()).toEqual(
        [`train/${word}/0.png`, `train/${other}/1.png`].sort(),
      );
    }
    const csv = `object,split,label,image,mask\na,train,${word},1.png,\na,test,NG,2.png,\n`;
    expect(verdicts(await recognise(["1.png", "2.png"], { texts: { "split_csv/1cls.csv": csv } }))).toEqual({
      "1.png": false,
      "2.png": true,
    });
    const line = (name: string, label: unknown) => JSON.stringify({ filename: name, label, clsname: "a" });
    const texts = {
      "train.json": line("1.png", word),
      "test.json": `${line("2.png", "defective")}\n${line("3.png", "1")}`,
    };
    expect(verdicts(await recognise(["1.png", "2.png", "3.png"], { texts }))).toEqual({
      "1.png": false,
      "2.png": true,
      "3.png": true,
    });
  },
);

test("words that may mean good are read as defects, and told from words that do not", () => {
  expect(
    ["pass", "io", "i.O.", "fine", "0", "negative", "MT_Free", "good_2", "OkParts", "合格"].map(soundsGood),
  ).toEqual(Array(10).fill(true));
  expect(["good", "not_good", "abnormal", "ng", "scratch", "n_io", "00_cut", "label", "1", ""].map(soundsGood)).toEqual(
    Array(10).fill(false),
  );
});

test("masks beside photographs are theirs, depth and thumbnails are left out", async () => {
  const { classes, companions, strayMasks } = await recognise([
    "train/good/1.jpg",
    "train/good/thumbs/1.jpg",
    "train/good/2_depth.png",
    "train/good/2.jpg",
    "test/cut/1.jpg",
    "test/cut/1_mask.png",
    "test/dent/1.jpg",
    "test/dent/1.png",
    "test/dent/2.jpg",
    "test/dent/2.png",
    "test/hole/gt/9.png",
    "test/hole/1.jpg",
  ]);
  expect(classes[0]!.train.map(({ path }) => path)).toEqual(["train/good/1.jpg", "train/good/2.jpg"]);
  expect(classes[0]!.test.map(({ path, masks }) => [path, ...masks])).toEqual([
    ["test/cut/1.jpg", "test/cut/1_mask.png"],
    ["test/dent/1.jpg", "test/dent/1.png"],
    ["test/dent/2.jpg", "test/dent/2.png"],
    ["test/hole/1.jpg"],
  ]);
  expect([...companions].sort()).toEqual(["train/good/2_depth.png", "train/good/thumbs/1.jpg"]);
  expect(strayMasks).toEqual(["test/hole/gt/9.png"]);
});

test.each(["_mask", ".mask", "-label", " mask", " (mask)", "_Ground_Truth", "Mask", "_seg"])(
  "an image that ends in %s is the mask of the one beside it",
  async (end) => {
    const files = ["000", "001"].flatMap((stem) => [`test/cut/${stem}.png`, `test/cut/${stem}${end}.png`]);
    const { classes, unused } = await recognise(["train/good/0.png", ...files]);
    expect(classes[0]!.test.map(({ path, masks }) => [path, ...masks])).toEqual([files.slice(0, 2), files.slice(2)]);
    expect(unused).toEqual([]);
    const apart = await recognise(["train/good/0.png", "test/cut/000.png", `ground_truth/cut/000${end}.png`]);
    expect(apart.strayMasks).toEqual([]);
  },
);

test("a mask may begin with its word", async () => {
  const { classes } = await recognise([
    "train/good/0.png",
    "test/cut/000.png",
    "test/cut/mask_000.png",
    "test/dent/image_1.png",
    "test/dent/mask_1.png",
  ]);
  expect(classes[0]!.test.map(({ path, masks }) => [path, ...masks])).toEqual([
    ["test/cut/000.png", "test/cut/mask_000.png"],
    ["test/dent/image_1.png"],
  ]);
});

test("what lies beside a folder of colour photographs under their names is left out", async () => {
  const files = ["rgb", "ir", "z"].map((view) => `${view}/000.${view === "z" ? "tiff" : "png"}`);
  const dataset = await recognise(
    ["train/good", "test/cut", "test/good"]
      .flatMap((place) => files.map((file) => `${place}/${file}`))
      .concat("test/cut/gt/000.png"),
  );
  expect(dataset.classes[0]!.test.find(({ defective }) => defective)!.masks).toEqual(["test/cut/gt/000.png"]);
  expect([...trainPaths(dataset), ...dataset.classes[0]!.test.map(({ path }) => path)].sort()).toEqual([
    "test/cut/rgb/000.png",
    "test/good/rgb/000.png",
    "train/good/rgb/000.png",
  ]);
  expect(dataset.companions).toHaveLength(6);
});

test("images of one kind that share names in several folders are taken, and named", async () => {
  const dataset = await recognise(
    ["0", "1"].flatMap((stem) => ["", "normal/", "nx/"].map((view) => `train/good/${view}${stem}.png`)),
  );
  expect(trainPaths(dataset)).toHaveLength(6);
  expect(dataset.twins).toHaveLength(6);
  expect((await recognise(["a/0.png", "a/1.png", "b/0.png", "b/1.png"])).twins).toEqual([]); // of two parts, it may be
});

test("half and more of the images under others' names with one word behind them are taken, and named", async () => {
  const files = ["0", "1", "2"].map((stem) => `train/good/${stem}.png`);
  const copies = ["train/good/0_flipped.png", "train/good/2_flipped.png"];
  expect((await recognise([...files, ...copies])).twins).toEqual(copies);
  expect((await recognise([...files, ...copies.slice(1)])).twins).toEqual([]); // a single one may be a name
  const sides = ["0_left.png", "0_right.png", "1_left.png", "1_right.png"];
  expect((await recognise(sides)).twins).toEqual([]);
});

test.each([
  ["JPEGImages/%.jpg", "SegmentationClass/%.png"],
  ["img/%.png", "msk/%.png"],
  ["images/%.png", "masks/%.png"],
  ["images/%.jpg", "Masks/%_mask.png"],
  ["images/%.jpg", "Mask_images/%.png"],
  ["%.png", "annot/%.png"],
])("photographs in %s that nobody calls good, with masks in %s, are refused", async (photograph, mask) => {
  const files = [photograph, mask].flatMap((form) => ["0", "1"].map((stem) => form.replace("%", stem)));
  await expect(recognise(files)).rejects.toThrow(
    /look like masks by their names \(such as .*\), and images with masks may be defective/,
  );
});

test("infrared images and predictions beside photographs of their names are left out; other extensions are doubtful", async () => {
  for (const other of ["infrared/%.png", "pred/%.png", "thermal images/%.tif"]) {
    const dataset = await recognise(
      ["0", "1"].flatMap((stem) => ["visible/%.png", other].map((form) => form.replace("%", stem))),
    );
    expect([trainPaths(dataset), dataset.companions.length]).toEqual([["visible/0.png", "visible/1.png"], 2]);
  }
  expect((await recognise(["0", "1"].flatMap((stem) => [`a/${stem}.jpg`, `b/${stem}.png`]))).twins).toHaveLength(4);
});

test("a folder's name means the same with a word for images behind it", async () => {
  expect(
    verdicts(
      await recognise([
        "train/good_images/0.png",
        "test/OK Pics/1.png",
        "test/NODefect_images/2.png",
        "test/Defect_images/3.png",
      ]),
    ),
  ).toEqual({
    "train/good_images/0.png": false,
    "test/OK Pics/1.png": false,
    "test/NODefect_images/2.png": false,
    "test/Defect_images/3.png": true,
  });
  await expect(recognise(["NODefect_images/1/0.png", "Defect_images/1.png", "Mask_images/1_mask.png"])).rejects.toThrow(
    "Defect_images/, Mask_images/ lie beside it",
  );
  expect(["images", "pictures", "imgs"].map((name) => isGoodName(name))).toEqual([false, false, false]);
});

test.each([
  ["training", "testing"],
  ["Train_Set", "TestSet"],
])("%s and %s are read as train and test", async (train, test) => {
  expect(verdicts(await recognise([`${train}/ｇｏｏｄ/0.png`, `${test}/Ｏｋ/1.png`, `${test}/cut/2.png`]))).toEqual({
    [`${train}/ｇｏｏｄ/0.png`]: false,
    [`${test}/Ｏｋ/1.png`]: false,
    [`${test}/cut/2.png`]: true,
  });
});

test("photographs that share a name, or a word with masks, stay photographs", async () => {
  const dataset = await recognise([
    "bottle_label.jpg",
    "bottle_cap.jpg",
    "label/1.jpg",
    "a.jpg",
    "a.png",
    "b.jpg",
    "c.jpg",
    "d.jpg",
  ]);
  expect(trainPaths(dataset)).toHaveLength(8);
  expect(dataset.twins).toEqual(["a.png", "a.jpg"]);
});

test("a mask is found whatever the case and the form of Unicode of its name, unless two images have that name", async () => {
  const { classes, strayMasks } = await recognise([
    "train/good/0.png",
    "test/Cut/Ä1.png",
    "ground_truth/cut/ä1_MASK.png",
    "test/Cut/b.png",
    "ground_truth/CUT/B.png",
    "test/dent/c.png",
    "test/dent/C.png",
    "ground_truth/dent/c.png",
    "test/DENT/d.png",
    "ground_truth/Dent/D/x.png",
  ]);
  expect(classes[0]!.test.map(({ path, masks }) => [path.normalize("NFC"), ...masks])).toEqual(
    expect.arrayContaining([
      ["test/Cut/Ä1.png", "ground_truth/cut/ä1_MASK.png"],
      ["test/dent/c.png", "ground_truth/dent/c.png"],
      ["test/dent/C.png"],
      ["test/DENT/d.png", "ground_truth/Dent/D/x.png"],
    ]),
  );
  expect(strayMasks).toEqual(["ground_truth/CUT/B.png"].slice(1));
});

test("a list's paths are found whatever their slashes, case and form; rows that repeat an image count once", async () => {
  const csv =
    "object,split,label,image,mask\n" +
    "a,train,normal,A\\1.jpg,\na,train,normal,a/1.JPG,\na,test,normal,a/1.JPG,\na,test,anomaly,./a/2.JPG,a/m.png\na,test,anomaly,a/2.JPG,a/n.png\na,test,normal,C:\\b.png,\n";
  const { classes, repeated, unreadable } = await recognise(["a/1.JPG", "a/2.JPG", "a/m.png", "a/n.png"], {
    texts: { "split_csv/1cls.csv": csv },
  });
  expect(classes).toMatchObject([
    { train: [{ path: "a/1.JPG" }], test: [{ path: "a/2.JPG", masks: ["a/m.png", "a/n.png"] }] },
  ]);
  expect(repeated).toEqual([
    { path: "a/1.JPG", reason: "split_csv/1cls.csv names it more than once" },
    { path: "a/1.JPG", reason: "named more than once, and taken as a, to train on, good, not as a, to test, good" },
  ]);
  expect(unreadable).toEqual([
    {
      path: "C:\\b.png",
      reason: "split_csv/1cls.csv names it, but it is not there; paths in it are relative to the folder of the dataset",
    },
  ]);
});

test("classes and defects may have any name", async () => {
  const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
  const { classes } = await recognise(
    names.flatMap((name) => [`${name}/train/good/0.png`, `${name}/test/${name}/1.png`]),
  );
  expect(classes.map(({ name, test: [item] }) => [name, item!.defect])).toEqual(names.map((name) => [name, name]));
});

test("images that cannot be decoded are counted, and named where there are no others", async () => {
  expect((await recognise(["a.png", "b.HEIC", "c/d.dng"])).undecodable).toEqual(["b.HEIC", "c/d.dng"]);
  expect(trainPaths(await recognise(["a.jfif", "b.AVIF", "c.gif"]))).toEqual(["a.jfif", "b.AVIF", "c.gif"]);
  await expect(recognise(["b.HEIC"])).rejects.toThrow(
    "parts: no images, 1 image file of formats that cannot be decoded (.heic 1): convert it to png or jpg",
  );
});

const UNIAD = ["a.png"];
const uniad = (train: string) => ({ texts: { "train.json": train, "test.json": "" } });
const visa = (csv: string) => ({ texts: { "split_csv/1cls.csv": csv } });

test.each<[string, readonly string[], string, Parameters<typeof recognise>[1]?]>([
  ["nothing", [], "parts: no images, it is empty; images end in png, jpg"],
  ["text alone", ["a.txt", "b.md"], "parts: no images, none of its 2 files is one"],
  ["hidden images alone", [".a.png"], "parts: no images, it is empty"],
  [
    "a test image of no kind",
    ["train/good/a.png", "test/b.png"],
    "parts: test/b.png is neither good nor defective; test images belong in test/good or test/<defect>",
  ],
  [
    "no good images to learn from",
    ["test/good/a.png"],
    "parts: no good images to learn from; read as folder: all images are good ones to learn from, but",
  ],
  [
    "a class without good images",
    ["a/train/good/a.png", "b/test/good/a.png"],
    "b: no good images to learn from; read as mvtec: train/good: good images",
  ],
  [
    "what is not laid out as it is said to be",
    ["a/1.png", "2.png"],
    "parts is not laid out as btad: expected train/ok: good images; ",
    { format: "btad" },
  ],
  [
    "the same, with what was seen",
    ["a/1.png", "2.png"],
    "found a/ (1 image), 1 image; it looks like folder (without the option format it is read so)",
    { format: "btad" },
  ],
  [
    "good images beside others",
    ["good/a.png", "scratch/b.png"],
    "parts: good/ (1 image) holds the good images, but scratch/ lie beside it (1 image); defective images belong in test/scratch, good ones in good",
  ],
  [
    "good images beside others, further in",
    ["images/good/a.png", "images/cut/b.png"],
    "parts: images/good/ (1 image) holds the good images, but images/cut/ lie beside it (1 image)",
  ],
  [
    "a dataset's folder of test images",
    ["good/a.png", "cut/b.png"],
    "test: good/ (1 image) holds the good images, but cut/ lie beside it (1 image); defective images belong in test/cut, good ones in good; if this is a part of a dataset, name the folder that it lies in",
    { name: "test" },
  ],
  [
    "a dataset's folder of masks",
    ["hole/000_mask.png"],
    "ground_truth: a folder of this name holds masks, not photographs (1 image, such as 000_mask.png); name the folder of the whole dataset, or rename it",
    { name: "ground_truth" },
  ],
  [
    "a folder in that",
    ["000_mask.png", "001_mask.png"],
    "parts: images of such names are masks, not photographs (2 images, such as 000_mask.png)",
  ],
  [
    "a folder of defects among good images",
    ["a.png", "NG/b.png"],
    "parts: NG/ (1 image) would be read as good images, but its name says otherwise; defective images belong in test/NG; rename",
  ],
  [
    "a dataset further in",
    ["x/y/train/good/a.png", "z.png"],
    "parts: x/y/train/ (1 image) would be read as good images, but its name says otherwise; if x/y is a dataset, name it",
  ],
  [
    "VisA without its csv file",
    ["candle/Data/Images/Normal/0.JPG"],
    "parts: VisA's images are there, but not split_csv/1cls.csv, which labels them; name the folder that holds split_csv",
  ],
  [
    "another csv file",
    ["a.png"],
    "parts: split_csv/1cls.csv has no column split, label, mask; its first line is object,split,label,image,mask",
    visa("object,image\n"),
  ],
  [
    "a csv file with an unknown label",
    ["a.png"],
    'parts: split_csv/1cls.csv line 2: the label is "odd"; expected normal or anomaly',
    visa("object,split,label,image,mask\na,train,odd,a.png,\n"),
  ],
  [
    "a csv file with an unknown split",
    ["a.png"],
    'line 2: the split is ""; expected train or test',
    visa("object,split,label,image,mask\na,,normal,a.png,\n"),
  ],
  [
    "magnetic tiles as they are published",
    ["MT_Free/Imgs/1.jpg", "MT_Free/Imgs/1.png", "MT_Free/Imgs/2.jpg", "MT_Free/Imgs/2.png"],
    "parts: 2 images among the training images look like masks by their names (such as MT_Free/Imgs/1.png, named as the mask of 1.jpg)",
  ],
  [
    "a single image of KolektorSDD",
    ["kos01/Part0.jpg", "kos01/Part0_label.bmp"],
    "such as kos01/Part0_label.bmp, named as the mask of Part0.jpg",
  ],
  [
    "a single image of KolektorSDD2",
    ["10000.png", "10000_GT.png"],
    "such as 10000_GT.png, named as the mask of 10000.png",
  ],
  [
    "a part of DAGM",
    ["0576.PNG", "Label/0576_label.PNG"],
    "such as Label/0576_label.PNG, named as the mask of 0576.PNG",
  ],
  [
    "Real-IAD without its lists",
    ["bolt/OK/S1/1.jpg", "bolt/NG/AK/S1/1.jpg", "bolt/NG/AK/S1/1.png"],
    "parts: bolt/NG/ (2 images) would be read as good images, but its name says otherwise",
  ],
  [
    "Real-IAD with a list of another kind",
    ["realiad_256/bolt/OK/S1/1.jpg"],
    'parts: realiad_jsons/bolt.json has no list test; expected {"meta"',
    { texts: { "realiad_jsons/bolt.json": '{"meta": {"normal_class": "OK"}, "train": []}' } },
  ],
  [
    "Real-IAD with a list that is no JSON",
    ["realiad_256/bolt/OK/S1/1.jpg"],
    "parts: realiad_jsons/bolt.json is no JSON",
    { texts: { "realiad_jsons/bolt.json": "{" } },
  ],
  ["Eyecandies", ["train/data/000_image_0.png", "train/data/000_mask.png"], "such as train/data/000_mask.png"],
  ["json of another kind", UNIAD, "parts: train.json line 1 is not a JSON object; expected", uniad("[")],
  [
    "json lines without names",
    UNIAD,
    'train.json line 2 has no filename; expected {"filename": "a/b.png"',
    uniad('\n{"label": 0, "clsname": "a"}'),
  ],
  ["json lines without a class", UNIAD, "train.json line 1 has no clsname", uniad('{"filename": "a.png", "label": 0}')],
  [
    "json lines without a label",
    UNIAD,
    "train.json line 1 has no label of 0 or 1",
    uniad('{"filename": "a.png", "label": "odd", "clsname": "a"}'),
  ],
])("%s is refused, with the rule and the remedy", async (_what, files, message, options) => {
  const error: Error = await recognise(files, options).then(
    () => new Error("it was read"),
    (error: Error) => error,
  );
  expect(error.message).toContain(message);
  expect(error.message).not.toContain("\n");
  expect(error).toBeInstanceOf(InputError);
});

describe("masks that tell good images", () => {
  const files = ["a.png", "a_GT.png", "b.png", "b_GT.png", "c.png", "c_GT.png", "d.png", "d_GT.png"];
  const listing = { name: "parts", files, unreadable: [], readText: () => Promise.reject(new Error("no text")) };

  test("without folders the good ones of every third image are for testing; a mask that cannot be read is named", async () => {
    const { classes, unreadable } = await recogniseDataset({
      ...listing,
      isBlack: (path) =>
        path === "d_GT.png" ? Promise.reject(new InputError("it is damaged")) : Promise.resolve(path !== "b_GT.png"),
    });
    expect(classes[0]!.train.map(({ path }) => path)).toEqual(["a.png"]);
    expect(classes[0]!.test.map(({ path, defective }) => [path, defective])).toEqual([
      ["b.png", true],
      ["c.png", false],
    ]);
    expect(unreadable).toEqual([{ path: "d.png", reason: "its mask d_GT.png cannot be read: it is damaged" }]);
  });

  test("need a listing that looks into them", async () => {
    await expect(recogniseDataset(listing)).rejects.toThrow(
      "parts is laid out as kolektor: its listing needs the function isBlack",
    );
  });

  test("stand beside every image, or the folder is read otherwise", async () => {
    await expect(recogniseDataset({ ...listing, files: [...files, "e.png"] })).rejects.toThrow(
      "look like masks by their names",
    );
  });
});
