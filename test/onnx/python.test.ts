// docs/onnx.md's Python program as it stands there, on a stand-in for onnxruntime's Python package: see
// python/onnxruntime.py.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { decodeDetector, encodeDetector } from "../../src/detection/model_file.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import type { Scoring } from "../../src/methods/method.ts";
import { decodeImage } from "../../src/node/images.ts";
import { encodeOnnx } from "../../src/onnx/encode_onnx.ts";
import { RESIZES } from "../../src/io/placement.ts";
import { device } from "../harness/device.ts";
import { madeUpDetector, madeUpPicture } from "../harness/made_up_detector.ts";
import { tiffOf } from "../harness/pictures.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const PYTHON = ["/usr/bin/python3", "python3"].find(
  (python) => spawnSync(python, ["-c", "import numpy, onnx, PIL"]).status === 0,
);
const STAND_IN = new URL("./python", import.meta.url).pathname;
const page = readFileSync(new URL("../../docs/onnx.md", import.meta.url), "utf8");
const [program, ofTiles] = [...page.matchAll(/```python\n([^]*?)```/g)].map(([, source]) => source!);
const folder = await temporaryFolder();
const env = { ...process.env, PYTHONPATH: STAND_IN };

const [WIDTH, HEIGHT] = [150, 91];
const { data } = madeUpPicture(WIDTH, 4); // a square
const rgb = data.filter((_, i) => i % 4 !== 3).subarray(0, 3 * WIDTH * HEIGHT);
const source = () => sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const deep = Uint16Array.from(rgb, (value, i) => 256 * value + ((37 * i) % 256));
const raw16 = () => sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).toColourspace("rgb16");
const grey8 = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => rgb[3 * i]!);
const grey16 = Uint16Array.from(grey8, (value, i) => 256 * value + (i % 256));
const raw16Grey = () => sharp(grey16, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } }).toColourspace("grey16");
const edge = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i % WIDTH < 40 ? 0 : 255));
const clear = () => source().joinChannel(Buffer.from(edge), { raw: { width: WIDTH, height: HEIGHT, channels: 1 } });
const cmyk = await source().toColourspace("cmyk").raw().toBuffer();
const corpus = (name: string) => () => readFile(new URL(`../fuzz/corpus/${name}`, import.meta.url));

const EXACT: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  "rgb.png": () => source().png().toBuffer(),
  "interlaced.png": () => source().png({ progressive: true }).toBuffer(),
  "grey.png": () => source().greyscale().toColourspace("b-w").png().toBuffer(),
  "palette.png": () => source().png({ palette: true }).toBuffer(),
  "palette_clear.png": () => clear().png({ palette: true }).toBuffer(),
  "alpha.png": () => source().ensureAlpha(0.5).png().toBuffer(),
  "grey_alpha.png": () => source().greyscale().ensureAlpha(0.5).toColourspace("b-w").png().toBuffer(),
  "rgb16.png": () => raw16().png().toBuffer(),
  "alpha16.png": () => raw16().ensureAlpha(0.5).png().toBuffer(),
  "grey16.png": () => raw16Grey().png().toBuffer(),
  "rgb.jpg": () => source().jpeg().toBuffer(),
  "full.jpg": () => source().jpeg({ chromaSubsampling: "4:4:4" }).toBuffer(),
  "progressive.jpg": () => source().jpeg({ progressive: true }).toBuffer(),
  "grey.jpg": () => source().greyscale().toColourspace("b-w").jpeg().toBuffer(),
  ...Object.fromEntries(
    [1, 2, 3, 4, 5, 6, 7, 8].map((orientation) => [
      `exif${orientation}.jpg`,
      () => source().withMetadata({ orientation }).jpeg().toBuffer(),
    ]),
  ),
  "exif6.png": () =>
    source()
      .withExif({ IFD0: { Orientation: "6" } })
      .png()
      .toBuffer(),
  "exif6.webp": () => source().withMetadata({ orientation: 6 }).webp({ lossless: true }).toBuffer(),
  "exif5.tiff": () => source().withMetadata({ orientation: 5 }).tiff({ compression: "lzw" }).toBuffer(),
  "exif2.tiff": () => source().withMetadata({ orientation: 2 }).tiff({ compression: "none" }).toBuffer(),
  "cmyk.jpg": () => source().toColourspace("cmyk").jpeg().toBuffer(),
  "cmyk.tiff": () =>
    Promise.resolve(
      tiffOf(cmyk, WIDTH, HEIGHT, 8, [
        [262, 3, 5],
        [277, 3, 4],
      ]),
    ),
  "p3.jpg": () => source().withIccProfile("p3").jpeg().toBuffer(),
  "p3.webp": () => source().withIccProfile("p3").webp({ lossless: true }).toBuffer(),
  "p3.tiff": () => source().withIccProfile("p3").tiff({ compression: "lzw" }).toBuffer(),
  "p3_palette.png": () => source().withIccProfile("p3").png({ palette: true }).toBuffer(),
  "p3_clear.png": () => clear().withIccProfile("p3").png().toBuffer(),
  "p3_16.png": () => raw16().withIccProfile("p3").png().toBuffer(),
  "rgb.tiff": () => source().tiff({ compression: "none" }).toBuffer(),
  "jpeg.tiff": () => source().tiff({ compression: "jpeg" }).toBuffer(),
  "rgb16.tiff": () => raw16().tiff({ compression: "lzw" }).toBuffer(),
  "grey16.tiff": () => raw16Grey().tiff({ compression: "none" }).toBuffer(),
  "white.tiff": () => Promise.resolve(tiffOf(grey8, WIDTH, HEIGHT, 8, [[262, 3, 0]])),
  "bits.tiff": () => Promise.resolve(tiffOf(edge.subarray(0, 19 * HEIGHT), WIDTH, HEIGHT, 1)),
  "nibbles.tiff": () => Promise.resolve(tiffOf(grey8.subarray(0, 75 * HEIGHT), WIDTH, HEIGHT, 4)),
  "picture.gif": () => source().gif().toBuffer(),
  "clear.gif": () => clear().gif().toBuffer(),
  "animated.gif": corpus("image/animated.gif"),
  "lossless.webp": () => source().webp({ lossless: true }).toBuffer(),
  "lossy.webp": () => source().webp().toBuffer(),
  "alpha.webp": () => clear().webp({ lossless: true }).toBuffer(),
  "animated.webp": corpus("image/animated.webp"),
  "24.bmp": corpus("bmp/24.bmp"),
  "8.bmp": corpus("bmp/8.bmp"),
  "32.bmp": corpus("bmp/32.bmp"),
};

const REFUSED: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  "cmyk_profile.jpg": () => source().withIccProfile("cmyk").jpeg().toBuffer(),
  "white16.tiff": () => Promise.resolve(tiffOf(grey16, WIDTH, HEIGHT, 16, [[262, 3, 0]])),
  "stated.tiff": () => Promise.resolve(tiffOf(grey16, WIDTH, HEIGHT, 16, [[281, 3, 65_534]])),
  "floats.tiff": () =>
    Promise.resolve(
      tiffOf(Float32Array.from(grey8), WIDTH, HEIGHT, 32, [
        [339, 3, 3],
        [340, 11, 0],
        [341, 11, 255],
      ]),
    ),
};

const reading = `${program!.slice(0, program!.indexOf("session ="))}
import sys
for name in sys.argv[1:]:
    try:
        picture = read(name)
        open(name + ".rgb", "wb").write(bytes(str(picture.size[0]), "ascii") + b" " + picture.tobytes())
    except ValueError as error:
        print(error)
`;
import { inputsOf } from "../harness/inputs.ts";

test.skipIf(PYTHON === undefined)(
  "the Python program decodes every kind of file to bigrid's bytes, or refuses it with its name",
  async () => {
    for (const [name, make] of Object.entries({ ...EXACT, ...REFUSED }))
      await writeFile(join(folder, name), await make());
    const said = execFileSync(
      PYTHON!,
      ["-W", "ignore", "-c", reading, ...Object.keys(EXACT), ...Object.keys(REFUSED)],
      { cwd: folder, env, encoding: "utf8" },
    );
    expect(
      said
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(Object.keys(REFUSED));
    const differences: Record<string, number> = {};
    for (const name of Object.keys(EXACT)) {
      const image = await decodeImage(join(folder, name));
      const ours = image.data.filter((_, i) => i % 4 !== 3);
      const written = await readFile(join(folder, `${name}.rgb`));
      const space = written.indexOf(32);
      const theirs = written.subarray(space + 1);
      const isSame = Number(written.subarray(0, space).toString()) === image.width && theirs.length === ours.length;
      differences[name] = isSame
        ? ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0)
        : Infinity;
    }
    expect(differences).toEqual(Object.fromEntries(Object.keys(EXACT).map((name) => [name, 0])));
  },
);

test.skipIf(PYTHON === undefined).each(RESIZES)(
  "the Python program prepares photographs and reads results as bigrid does: %s",
  async (resize) => {
    const at = (name: string) => join(folder, resize, name);
    await mkdir(at(""), { recursive: true });
    const detector = await madeUpDetector(device, 64, { decoder: "tiny" }, null, resize);
    await writeFile(at("model.onnx"), await encodeOnnx(detector));
    await writeFile(
      at("photo.jpg"),
      await EXACT[{ stretch: "p3.jpg", crop: "exif6.jpg", letterbox: "rgb16.png" }[resize]]!(),
    ); // told apart by its first bytes
    const [inspection] = await detector.inspect(inputsOf([await decodeImage(at("photo.jpg"))]));
    const said = execFileSync(PYTHON!, ["-c", program!], { cwd: at(""), env, encoding: "utf8" });
    const [, verdict, calibrated, peak] = /^(good|defective) ([\d.e-]+), peak ([\d.e-]+) at \d+,\d+\n$/.exec(said)!;
    expect(verdict).toBe(inspection!.calibrated > 0.5 ? "defective" : "good");
    expect(Math.abs(Number(calibrated) / inspection!.calibrated - 1)).toBeLessThan(1e-4);
    expect(Math.abs(Number(peak) / inspection!.peak - 1)).toBeLessThan(1e-4);
    detector.release();
  },
);

test
  .skipIf(PYTHON === undefined)
  .each<Scoring["image"]>([
    { kind: "windowMean", side: 16 },
    { kind: "topShare", share: 0.01 },
    { kind: "max" },
    { kind: "cells" },
  ])("the Python program of tiles scores photographs as bigrid does: %j", async (image) => {
  const at = (name: string) => join(folder, image.kind, name);
  await mkdir(at(""), { recursive: true });
  const whole = await madeUpDetector(device, 64, { decoder: "tiny" });
  const { tensors, metadata } = decodeSafetensors(await encodeDetector(whole), "model");
  const { input, scoring, ...config } = whole.config;
  const tiled = { ...config, input: { ...input, tiles: { tile: 71, overlap: 11 } }, scoring: { ...scoring, image } };
  const file = encodeSafetensors({ tensors, metadata: { ...metadata, config: JSON.stringify(tiled) } });
  const detector = await decodeDetector(device, file, "model");
  await writeFile(at("model.onnx"), await encodeOnnx(detector));
  await writeFile(at("photo.jpg"), await EXACT["rgb.png"]!());
  const [inspection] = await detector.inspect(inputsOf([await decodeImage(at("photo.jpg"))]));
  const lines = program!.trimEnd().split("\n").slice(0, -4);
  const said = execFileSync(PYTHON!, ["-c", `${lines.join("\n")}\n${ofTiles!}`], {
    cwd: at(""),
    env,
    encoding: "utf8",
  });
  const [, verdict, calibrated, peak, x, y] = /^(good|defective) ([\d.e-]+), peak ([\d.e-]+) at (\d+),(\d+)\n$/.exec(
    said,
  )!;
  expect(verdict).toBe(inspection!.calibrated > 0.5 ? "defective" : "good");
  expect(Math.abs(Number(calibrated) / inspection!.calibrated - 1)).toBeLessThan(1e-4);
  expect(Math.abs(Number(peak) / inspection!.peak - 1)).toBeLessThan(1e-4);
  expect(inspection!.map[Number(y) * inspection!.size.width + Number(x)]! / inspection!.peak).toBeCloseTo(1, 4);
  whole.release();
  detector.release();
});
