// What MVTec AD 2's benchmark takes, made from a small set of its layout.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { describeSubmission, submitted } from "../../src/cli/predict/submission.ts";
import { enlargeMap } from "../../src/io/anomaly_map.ts";
import { tiffHeader } from "../../src/io/tiff.ts";
import { loadDetector } from "../../src/node/detector_file.ts";
import { decodeImage } from "../../src/node/images.ts";
import { writeSyntheticSet } from "../../src/node/synthetic.ts";
import { floatToHalf } from "../../src/tensor/half.ts";
import { device } from "../harness/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";
import { bigrid } from "./program.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const CAN = at("mvtec_ad_2", "can");
const IMAGES = ["test_private/000_regular", "test_private/001_regular", "test_private_mixed/000_mixed"];
const [WIDTH, HEIGHT] = [90, 60];

beforeAll(async () => {
  await writeSyntheticSet(at("set"), { size: 64, train: 6, good: 2, defective: 1, seed: 2 });
  const weave = at("set", "weave");
  const good = (await readdir(join(weave, "train", "good"))).map((name) => join(weave, "train", "good", name));
  const [stain] = (await readdir(join(weave, "test", "stain"))).map((name) => join(weave, "test", "stain", name));
  const put = async (from: string, ...names: string[]): Promise<void> => {
    await mkdir(join(CAN, ...names.slice(0, -1)), { recursive: true });
    await sharp(from)
      .resize(WIDTH, HEIGHT, { fit: "fill" })
      .png()
      .toFile(join(CAN, ...names));
  };
  for (const [i, path] of good.entries()) await put(path, "train", "good", `${i}_regular.png`);
  await put(good[0]!, "test_public", "good", "000_regular.png");
  await put(good[0]!, "validation", "good", "000_regular.png");
  for (const name of IMAGES) await put(name.includes("001") ? stain! : good[1]!, ...`${name}.png`.split("/"));
  await put(good[0]!, "test_private", "thumbnail.png");
  const words = ["train", CAN, "--method", "patchcore", "--size", "64", "--out", at("run")];
  expect((await bigrid(words)).code).toBe(0);
});

test("a map and a mask of each private image lie where the benchmark looks for them, and nothing else does", async () => {
  const words = ["predict", at("run"), CAN, "--submission", at("out"), "--jsonl", at("lines.jsonl")];
  const { code, stderr } = await bigrid(words);
  expect(code).toBe(0);
  expect(stderr).toContain("left out: 9 images of no private test set");
  expect(stderr).toContain(
    `the submission in ${at("out")} has can with 3 of 642 images; lacks fabric, fruit_jelly, rice, sheet_metal, vial, wallplugs, walnuts\n`,
  );
  const files = (await readdir(at("out"), { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
  const mapOf = (name: string) => at("out", "anomaly_images", "can", `${name}.tiff`);
  const maskOf = (name: string) => at("out", "anomaly_images_thresholded", "can", `${name}.png`);
  expect(files).toEqual([...IMAGES.map(mapOf), ...IMAGES.map(maskOf)]);

  const detector = await loadDetector(device, at("run"));
  let marked = 0;
  for (const name of IMAGES) {
    const [inspection] = await detector.inspect([{ image: await decodeImage(join(CAN, `${name}.png`)) }]);
    const map = enlargeMap(inspection!);
    const file = await readFile(mapOf(name));
    const header = tiffHeader(file);
    expect(header).toMatchObject({ width: WIDTH, height: HEIGHT, bits: 16, kind: "float", samples: 1 });
    const samples = inflateSync(file.subarray(8)); // its one strip
    expect(samples).toHaveLength(2 * WIDTH * HEIGHT);
    const { pixelThreshold } = detector.config.calibration;
    const { data, info } = await sharp(maskOf(name)).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([WIDTH, HEIGHT, 1]);
    map.forEach((value, i) => {
      if (samples.readUInt16LE(2 * i) !== floatToHalf(value) || data[i] !== (value > pixelThreshold ? 255 : 0))
        throw new Error(`pixel ${i} of ${name}: ${value}, ${samples.readUInt16LE(2 * i)}, ${data[i]}`);
    });
    marked += data.filter((pixel) => pixel === 255).length;
  }
  expect(marked).toBeGreaterThan(0);
  detector.release();
  const lines = (await readFile(at("lines.jsonl"), "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { map: string; mask: string }).map)).toEqual(IMAGES.map(mapOf));
});

test("other images, two sets at a time and flags that do not go with it are refused", async () => {
  const refused = async (...words: string[]) => {
    const { code, stderr } = await bigrid(["predict", at("run"), ...words, "--submission", at("refused")]);
    expect(code).toBe(1);
    return stderr;
  };
  expect(await refused(join(CAN, "train"))).toContain(
    "--submission takes MVTec AD 2's private test sets, such as can/test_private/000_regular.png; none of the 6 images is of one",
  );
  expect(await refused(CAN, "--masks", at("m"))).toContain("--submission and --masks do not go together");
  expect(await refused("--watch", CAN)).toContain("--submission and --watch do not go together");
  expect(() => submitted(["a/can/test_private/000_regular.png", "b/can/test_private/000_regular.png"])).toThrow(
    "a/can/test_private/000_regular.png and b/can/test_private/000_regular.png are both can/test_private/000_regular.png of a submission",
  );
  for (const other of [
    "can/test_private/000_mixed.png",
    "can/test_private/00_regular.png",
    "can/test_private/000_regular.jpg",
    "can/test_public/000_regular.png",
    "tin/test_private/000_regular.png",
    "constructor/test_private/000_regular.png",
  ])
    expect(() => submitted([other])).toThrow("none of the 1 images is of one");
});

test("a submission with all files of all objects is complete", async () => {
  const counts = { can: 321, fabric: 314, fruit_jelly: 255, rice: 277, sheet_metal: 142, vial: 276, wallplugs: 232 };
  const all = Object.entries({ ...counts, walnuts: 228 });
  for (const [object, count] of all) {
    for (const [set, end] of [
      ["test_private", "regular"],
      ["test_private_mixed", "mixed"],
    ] as const) {
      for (const [kind, extension] of [
        ["anomaly_images", "tiff"],
        ["anomaly_images_thresholded", "png"],
      ] as const) {
        const place = at("whole", kind, object, set);
        await mkdir(place, { recursive: true });
        for (let i = 0; i < count; i++)
          await writeFile(join(place, `${String(i).padStart(3, "0")}_${end}.${extension}`), "");
      }
    }
  }
  expect(await describeSubmission(at("whole"))).toBe(
    `the submission in ${at("whole")} has ${all.map(([object]) => object).join(", ")}; is complete: MVTec's check_and_prepare_data_for_upload.py packs it`,
  );
  expect(await describeSubmission(at("nowhere"))).toContain("has nothing yet; lacks can, fabric, ");
});
