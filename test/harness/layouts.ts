import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import sharp from "sharp";
import type { FormatName } from "../../src/data/layouts/layout.ts";

/** Expected contents of a class: its good images, and the kind and masks of each test image. */
export interface ExpectedClass {
  readonly name: string;
  readonly train: readonly string[];
  readonly test: readonly (readonly [path: string, defect: string, masks?: readonly string[]])[];
}

export interface LayoutCase {
  readonly what: string;
  readonly format: FormatName;
  readonly images: readonly string[];
  readonly texts?: Readonly<Record<string, string>>;
  /** Masks that are black. */
  readonly black?: readonly string[];
  readonly classes: readonly ExpectedClass[];
  readonly strayMasks?: readonly string[];
  readonly unused?: readonly string[];
  readonly aside?: readonly string[];
  readonly companions?: readonly string[];
  /** Another layout that its folders match, if a list is read. */
  readonly alternative?: FormatName;
}

/** One case for each layout: its dataset as published, but tiny. */
export const LAYOUT_CASES: readonly LayoutCase[] = [
  {
    what: "MVTec AD, a folder for each class",
    format: "mvtec",
    images: [
      "bottle/train/good/000.png",
      "bottle/test/good/000.png",
      "bottle/test/broken_large/000.png",
      "bottle/ground_truth/broken_large/000_mask.png",
      "zipper/train/good/000.png",
      "zipper/test/rough/001.png",
    ],
    texts: { "readme.txt": "about", "license.txt": "terms" },
    classes: [
      {
        name: "bottle",
        train: ["bottle/train/good/000.png"],
        test: [
          ["bottle/test/broken_large/000.png", "broken_large", ["bottle/ground_truth/broken_large/000_mask.png"]],
          ["bottle/test/good/000.png", "good"],
        ],
      },
      { name: "zipper", train: ["zipper/train/good/000.png"], test: [["zipper/test/rough/001.png", "rough"]] },
    ],
  },
  {
    what: "one class of MVTec AD",
    format: "mvtec",
    images: [
      "train/good/000.png",
      "test/cut/000.png",
      "ground_truth/cut/000_mask.png",
      "ground_truth/cut/009_mask.png",
      "more/a.png",
    ],
    classes: [
      {
        name: "set",
        train: ["train/good/000.png"],
        test: [["test/cut/000.png", "cut", ["ground_truth/cut/000_mask.png"]]],
      },
    ],
    strayMasks: ["ground_truth/cut/009_mask.png"],
    unused: ["more/a.png"],
  },
  {
    what: "GoodsAD: jpg images, masks named as they",
    format: "goodsad",
    images: [
      "drink_can/train/good/0001.jpg",
      "drink_can/test/good/0002.jpg",
      "drink_can/test/opened/0003.jpg",
      "drink_can/ground_truth/opened/0003.png",
    ],
    classes: [
      {
        name: "drink_can",
        train: ["drink_can/train/good/0001.jpg"],
        test: [
          ["drink_can/test/good/0002.jpg", "good"],
          ["drink_can/test/opened/0003.jpg", "opened", ["drink_can/ground_truth/opened/0003.png"]],
        ],
      },
    ],
  },
  {
    what: "MPDD",
    format: "mpdd",
    images: ["tubes/train/good/000.png", "tubes/test/anomalous/000.png", "tubes/ground_truth/anomalous/000_mask.png"],
    classes: [
      {
        name: "tubes",
        train: ["tubes/train/good/000.png"],
        test: [["tubes/test/anomalous/000.png", "anomalous", ["tubes/ground_truth/anomalous/000_mask.png"]]],
      },
    ],
  },
  {
    what: "BTAD: ok and ko, bmp and png mixed",
    format: "btad",
    images: [
      "01/train/ok/0000.bmp",
      "01/train/ok/0001.png",
      "01/test/ok/0002.bmp",
      "01/test/ko/0003.bmp",
      "01/ground_truth/ko/0003.png",
      "03/train/ok/0.bmp",
    ],
    classes: [
      {
        name: "01",
        train: ["01/train/ok/0000.bmp", "01/train/ok/0001.png"],
        test: [
          ["01/test/ko/0003.bmp", "ko", ["01/ground_truth/ko/0003.png"]],
          ["01/test/ok/0002.bmp", "good"],
        ],
      },
      { name: "03", train: ["03/train/ok/0.bmp"], test: [] },
    ],
  },
  {
    what: "MVTec LOCO: several masks an image",
    format: "loco",
    images: [
      "pushpins/train/good/000.png",
      "pushpins/validation/good/000.png",
      "pushpins/test/logical_anomalies/000.png",
      "pushpins/ground_truth/logical_anomalies/000/000.png",
      "pushpins/ground_truth/logical_anomalies/000/001.png",
    ],
    classes: [
      {
        name: "pushpins",
        train: ["pushpins/train/good/000.png"],
        test: [
          [
            "pushpins/test/logical_anomalies/000.png",
            "logical_anomalies",
            [
              "pushpins/ground_truth/logical_anomalies/000/000.png",
              "pushpins/ground_truth/logical_anomalies/000/001.png",
            ],
          ],
        ],
      },
    ],
    aside: ["pushpins/validation/good/000.png"],
  },
  {
    what: "MVTec AD 2: public test images with their masks among them",
    format: "mvtec2",
    images: [
      "can/train/good/000.png",
      "can/validation/good/000.png",
      "can/test_public/good/000.png",
      "can/test_public/bad/000.png",
      "can/test_public/ground_truth/bad/000_mask.png",
      "can/test_private/000.png",
      "can/test_private_mixed/000.png",
    ],
    classes: [
      {
        name: "can",
        train: ["can/train/good/000.png"],
        test: [
          ["can/test_public/bad/000.png", "bad", ["can/test_public/ground_truth/bad/000_mask.png"]],
          ["can/test_public/good/000.png", "good"],
        ],
      },
    ],
    aside: ["can/test_private/000.png", "can/test_private_mixed/000.png", "can/validation/good/000.png"],
  },
  {
    what: "MVTec 3D-AD: photographs, depth and masks below each kind",
    format: "mvtec3d",
    images: [
      "bagel/train/good/rgb/000.png",
      "bagel/train/good/xyz/000.tiff",
      "bagel/validation/good/rgb/000.png",
      "bagel/test/good/rgb/000.png",
      "bagel/test/good/gt/000.png",
      "bagel/test/crack/rgb/000.png",
      "bagel/test/crack/xyz/000.tiff",
      "bagel/test/crack/gt/000.png",
    ],
    classes: [
      {
        name: "bagel",
        train: ["bagel/train/good/rgb/000.png"],
        test: [
          ["bagel/test/crack/rgb/000.png", "crack", ["bagel/test/crack/gt/000.png"]],
          ["bagel/test/good/rgb/000.png", "good"],
        ],
      },
    ],
    aside: ["bagel/validation/good/rgb/000.png"],
    companions: ["bagel/test/crack/xyz/000.tiff", "bagel/test/good/gt/000.png", "bagel/train/good/xyz/000.tiff"],
  },
  {
    what: "VisA with its split in a csv file, upper-case extensions",
    format: "visa",
    images: [
      "candle/Data/Images/Normal/0000.JPG",
      "candle/Data/Images/Normal/0001.JPG",
      "candle/Data/Images/Anomaly/000.JPG",
      "candle/Data/Masks/Anomaly/000.png",
      "candle/Data/Masks/Anomaly/009.png",
      "pcb1/Data/Images/Normal/0000.JPG",
    ],
    texts: {
      "split_csv/1cls.csv":
        "object,split,label,image,mask\r\n" +
        "candle,train,normal,candle/Data/Images/Normal/0000.JPG,\r\n" +
        "candle,test,normal,candle/Data/Images/Normal/0001.JPG,\r\n" +
        'candle,test,anomaly,"candle/Data/Images/Anomaly/000.JPG",candle/Data/Masks/Anomaly/000.png\r\n' +
        "pcb1,train,normal,pcb1/Data/Images/Normal/0000.JPG,\r\n",
    },
    classes: [
      {
        name: "candle",
        train: ["candle/Data/Images/Normal/0000.JPG"],
        test: [
          ["candle/Data/Images/Anomaly/000.JPG", "anomaly", ["candle/Data/Masks/Anomaly/000.png"]],
          ["candle/Data/Images/Normal/0001.JPG", "good"],
        ],
      },
      { name: "pcb1", train: ["pcb1/Data/Images/Normal/0000.JPG"], test: [] },
    ],
    strayMasks: ["candle/Data/Masks/Anomaly/009.png"],
  },
  {
    what: "VisA converted to folders",
    format: "visa",
    images: ["pcb1/train/good/0000.JPG", "pcb1/test/bad/000.JPG", "pcb1/ground_truth/bad/000.png"],
    classes: [
      {
        name: "pcb1",
        train: ["pcb1/train/good/0000.JPG"],
        test: [["pcb1/test/bad/000.JPG", "bad", ["pcb1/ground_truth/bad/000.png"]]],
      },
    ],
  },
  {
    what: "UniAD's json lines, images in a folder beside them",
    format: "uniad",
    images: [
      "images/hazelnut/train/good/000.png",
      "images/hazelnut/test/hole/000.png",
      "images/hazelnut/ground_truth/hole/000_mask.png",
    ],
    texts: {
      "train.json":
        '{"filename": "hazelnut/train/good/000.png", "label": 0, "label_name": "good", "clsname": "hazelnut"}\n',
      "test.json":
        '{"filename": "hazelnut/test/hole/000.png", "label": 1, "label_name": "defective", "maskname": "hazelnut/ground_truth/hole/000_mask.png", "clsname": "hazelnut"}\n\n',
    },
    classes: [
      {
        name: "hazelnut",
        train: ["images/hazelnut/train/good/000.png"],
        test: [["images/hazelnut/test/hole/000.png", "hole", ["images/hazelnut/ground_truth/hole/000_mask.png"]]],
      },
    ],
  },
  {
    what: "UniAD's json lines beside folders of MVTec's layout",
    format: "uniad",
    images: ["nut/train/good/000.png", "nut/train/good/001.png", "nut/test/good/000.png"],
    texts: {
      "train.json": '{"filename": "./nut/train/good/000.png", "label": 0, "clsname": "nut"}',
      "test.json": '{"filename": "nut/test/good/000.png", "label": 0, "clsname": "nut", "maskname": null}',
    },
    classes: [{ name: "nut", train: ["nut/train/good/000.png"], test: [["nut/test/good/000.png", "good"]] }],
    unused: ["nut/train/good/001.png"],
    alternative: "mvtec",
  },
  {
    what: "Real-IAD: a json file for each class, the largest of its sizes",
    format: "realiad",
    images: [
      "realiad_256/toy/OK/S0001/a.jpg",
      "realiad_1024/toy/OK/S0001/a.jpg",
      "realiad_1024/toy/OK/S0002/b.jpg",
      "realiad_1024/toy/NG/AK/S0003/c.jpg",
      "realiad_1024/toy/NG/AK/S0003/c.png",
      "realiad_1024/toy/NG/AK/S0004/d.jpg",
    ],
    texts: {
      "realiad_jsons/toy.json": JSON.stringify({
        meta: { prefix: "toy/", normal_class: "OK", pre_transform: "center" },
        train: [
          { category: "toy", anomaly_class: "OK", image_path: "OK/S0001/a.jpg", mask_path: null },
          { category: "toy", anomaly_class: "AK", image_path: "NG/AK/S0004/d.jpg", mask_path: null },
        ],
        test: [
          { category: "toy", anomaly_class: "OK", image_path: "OK/S0002/b.jpg", mask_path: null },
          { category: "toy", anomaly_class: "AK", image_path: "NG/AK/S0003/c.jpg", mask_path: "NG/AK/S0003/c.png" },
        ],
      }),
    },
    classes: [
      {
        name: "toy",
        train: ["realiad_1024/toy/OK/S0001/a.jpg"],
        test: [
          ["realiad_1024/toy/NG/AK/S0003/c.jpg", "AK", ["realiad_1024/toy/NG/AK/S0003/c.png"]],
          ["realiad_1024/toy/OK/S0002/b.jpg", "good"],
        ],
      },
    ],
    aside: ["realiad_1024/toy/NG/AK/S0004/d.jpg", "realiad_256/toy/OK/S0001/a.jpg"],
  },
  {
    what: "KolektorSDD2: a mask beside each image, black for good ones",
    format: "kolektor",
    images: [
      "train/10000.png",
      "train/10000_GT.png",
      "train/10001.png",
      "train/10001_GT.png",
      "test/20000.png",
      "test/20000_GT.png",
      "test/20001.png",
      "test/20001_GT.png",
    ],
    black: ["train/10000_GT.png", "test/20000_GT.png"],
    classes: [
      {
        name: "set",
        train: ["train/10000.png"],
        test: [
          ["test/20000.png", "good"],
          ["test/20001.png", "defect", ["test/20001_GT.png"]],
        ],
      },
    ],
    aside: ["train/10001.png"],
    companions: ["test/20000_GT.png", "train/10000_GT.png", "train/10001_GT.png"],
  },
  {
    what: "KolektorSDD: the good images of every third part are for testing",
    format: "kolektor",
    images: [
      "kos01/Part0.jpg",
      "kos01/Part0_label.bmp",
      "kos02/Part0.jpg",
      "kos02/Part0_label.bmp",
      "kos03/Part0.jpg",
      "kos03/Part0_label.bmp",
      "kos03/Part1.jpg",
      "kos03/Part1_label.bmp",
    ],
    black: ["kos01/Part0_label.bmp", "kos03/Part0_label.bmp"],
    classes: [
      {
        name: "set",
        train: ["kos01/Part0.jpg"],
        test: [
          ["kos02/Part0.jpg", "defect", ["kos02/Part0_label.bmp"]],
          ["kos03/Part0.jpg", "good"],
          ["kos03/Part1.jpg", "defect", ["kos03/Part1_label.bmp"]],
        ],
      },
    ],
    companions: ["kos01/Part0_label.bmp", "kos03/Part0_label.bmp"],
  },
  {
    what: "DAGM: masks of defective images alone",
    format: "dagm",
    images: [
      "Class1/Train/0576.PNG",
      "Class1/Train/0577.PNG",
      "Class1/Train/Label/0577_label.PNG",
      "Class1/Test/0001.PNG",
      "Class1/Test/0002.PNG",
      "Class1/Test/Label/0002_label.PNG",
      "Class1/Test/Label/0009_label.PNG",
    ],
    texts: { "Class1/Train/Label/Labels.txt": "1" },
    classes: [
      {
        name: "Class1",
        train: ["Class1/Train/0576.PNG"],
        test: [
          ["Class1/Test/0001.PNG", "good"],
          ["Class1/Test/0002.PNG", "defect", ["Class1/Test/Label/0002_label.PNG"]],
        ],
      },
    ],
    strayMasks: ["Class1/Test/Label/0009_label.PNG"],
    aside: ["Class1/Train/0577.PNG"],
    companions: ["Class1/Train/Label/0577_label.PNG"],
  },
  {
    what: "a plain folder of good images, at any depth",
    format: "folder",
    images: ["b.webp", "more/a.tiff"],
    texts: { "notes.txt": "about" },
    classes: [{ name: "set", train: ["b.webp", "more/a.tiff"], test: [] }],
  },
  {
    what: "a plain folder with test images and masks",
    format: "folder",
    images: ["a.jpg", "monday/b.jpg", "test/ok/c.jpg", "test/scratch/d.jpg", "masks/scratch/d.png"],
    classes: [
      {
        name: "set",
        train: ["a.jpg", "monday/b.jpg"],
        test: [
          ["test/ok/c.jpg", "good"],
          ["test/scratch/d.jpg", "scratch", ["masks/scratch/d.png"]],
        ],
      },
    ],
  },
  {
    what: "plain folders with test images, one for each class",
    format: "folder",
    images: ["nut/good/a.jpg", "nut/test/bent/c.jpg", "bolt/train/b.jpg", "bolt/Test/Good/d.jpg"],
    classes: [
      { name: "bolt", train: ["bolt/train/b.jpg"], test: [["bolt/Test/Good/d.jpg", "good"]] },
      { name: "nut", train: ["nut/good/a.jpg"], test: [["nut/test/bent/c.jpg", "bent"]] },
    ],
  },
];

const SIDE = 16;

/** Writes a small picture of its own shade, or of a mask with a square in it, in the format of its extension. */
export async function writePicture(path: string, shade: number, side = SIDE, black = false): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const isMask = /ground_truth|[Mm]asks|\/gt\/|_GT\.|_label\.|\/NG\/.*\.png$/.test(path);
  const pixels = Uint8Array.from({ length: 3 * side * side }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    return isMask ? (!black && x < 4 && y < 4 ? 1 : 0) : (shade + 8 * x + 5 * y) % 256;
  });
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (extension === "bmp") return writeFile(path, bitmap(pixels, side));
  const format = extension === "jpg" ? "jpeg" : extension === "tif" ? "tiff" : extension;
  await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .toFormat(format as "png")
    .toFile(path);
}

/** An uncompressed bitmap of 24 bits per pixel, top row first. */
function bitmap(rgb: Uint8Array, side: number): Uint8Array {
  const stride = 4 * Math.ceil((3 * side) / 4);
  const file = Buffer.alloc(54 + stride * side);
  file.write("BM");
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(side, 18);
  file.writeInt32LE(-side, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++) file[54 + stride * y + 3 * x + c] = rgb[3 * (side * y + x) + 2 - c]!;
  }
  return file;
}

/** Writes a case's files into a folder; all its images differ. */
export async function writeLayout(
  root: string,
  { images, texts = {}, black = [] }: Pick<LayoutCase, "images" | "texts" | "black">,
): Promise<void> {
  for (const [i, image] of images.entries()) await writePicture(join(root, image), 10 * i, SIDE, black.includes(image));
  for (const [name, text] of Object.entries(texts)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}
