// Large photographs are decoded into a file: what is read of it has the bytes of the whole.
import { readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, expect, test } from "vitest";
import { readWhole, type Picture } from "../../src/io/image.ts";
import { shrunkCopy, shrunkMap } from "../../src/io/shrink.ts";
import { decodeImage, decodeMasks, openPicture, openPictures } from "../../src/node/images.ts";
import { PictureFile } from "../../src/node/picture_file.ts";
import { pngParts } from "../../src/node/png.ts";
import { placementOf } from "../../src/io/placement.ts";
import { tiffOf } from "../harness/pictures.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const at = (name: string) => join(folder, name);
const [WIDTH, HEIGHT] = [61, 43];
const rgb = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 13) & 255);
const source = () => sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const deep = Uint16Array.from(rgb, (value, i) => 200 * value + (i % 200));
const raw16 = () => sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).toColourspace("rgb16");
const grey = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => rgb[3 * i]!);

const KINDS: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  "rgb.png": () => source().png().toBuffer(),
  "alpha.png": () => source().ensureAlpha(0.5).png().toBuffer(),
  "grey.png": () => source().greyscale().toColourspace("b-w").png().toBuffer(),
  "interlaced.png": () => source().png({ progressive: true }).toBuffer(),
  "rgb.jpg": () => source().jpeg().toBuffer(),
  "turned.jpg": () => source().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  "profile.jpg": () => source().withIccProfile("p3").jpeg().toBuffer(),
  "cmyk.jpg": () => source().toColourspace("cmyk").jpeg().toBuffer(),
  "rgb.tiff": () => source().tiff({ compression: "lzw" }).toBuffer(),
  "rgb.webp": () => source().webp({ lossless: true }).toBuffer(),
  "deep.png": () => raw16().png().toBuffer(),
  "stated.tiff": () =>
    Promise.resolve(
      tiffOf(Float32Array.from(grey), WIDTH, HEIGHT, 32, [
        [339, 3, 3],
        [340, 11, 0],
        [341, 11, 255],
      ]),
    ),
};
/** These are decoded in memory whatever their size. */
const WHOLE: typeof KINDS = { "deep_profile.png": () => raw16().withIccProfile("p3").png().toBuffer() };

const own = async (): Promise<string[]> => (await readdir(tmpdir())).filter((name) => name.endsWith(".v"));
const before = await own();
afterEach(async () => expect(await own()).toEqual(before)); // no file is left

test.each(Object.entries({ ...KINDS, ...WHOLE }))("%s in parts is what it is as a whole", async (name, make) => {
  await writeFile(at(name), await make());
  const whole = await decodeImage(at(name));
  const picture = await openPicture(at(name), { large: 100 });
  expect(picture instanceof PictureFile).toBe(name in KINDS);
  expect([picture.width, picture.height, picture.sampleHigh]).toEqual([whole.width, whole.height, whole.sampleHigh]);
  expect((await readWhole(picture)).data).toEqual(new Uint8Array(whole.data));
  if (picture instanceof PictureFile) {
    const part = { left: 5, top: 7, width: 20, height: 11 };
    const parts = await Promise.all([picture.read(part), picture.read({ ...part, left: 9 }), picture.read(part)]);
    for (let y = 0; y < part.height; y++) {
      const from = 4 * ((part.top + y) * whole.width + part.left);
      const row = new Uint8Array(whole.data.subarray(from, from + 4 * part.width));
      expect(parts[0].data.subarray(4 * y * part.width, 4 * (y + 1) * part.width)).toEqual(row);
    }
    expect(parts[2]).toEqual(parts[0]);
    await picture.close();
    await expect(picture.read({ ...part, top: 1 })).rejects.toThrow("cannot read");
  }
});

test("a small one, and a BMP, are decoded in memory, and a damaged one is refused by name", async () => {
  await writeFile(at("small.png"), await KINDS["rgb.png"]!());
  expect(await openPicture(at("small.png"))).toEqual(await decodeImage(at("small.png")));
  const file = await KINDS["rgb.png"]!();
  await writeFile(at("cut.png"), file.subarray(0, file.length / 2));
  await expect(openPicture(at("cut.png"), { large: 100 })).rejects.toThrow(`cannot read ${at("cut.png")}: `);
  await expect(openPicture(at("small.png"), { maxPixels: 1000, large: 100 })).rejects.toThrow("more than 1000 pixels");
});

test("one after another they are closed when the next is asked for, and those that were begun when nobody asks", async () => {
  const paths = ["rgb.png", "rgb.jpg", "rgb.tiff", "rgb.webp"].map(at);
  for (const path of paths) await writeFile(path, await KINDS[path.slice(folder.length + 1)]!());
  const seen: Picture[] = [];
  for await (const outcome of openPictures(paths, (path) => path, { large: 100 })) {
    if ("error" in outcome) throw outcome.error;
    expect(outcome.image).toBeInstanceOf(PictureFile);
    for (const earlier of seen) await expect(readWhole(earlier)).rejects.toThrow("cannot read");
    seen.push(outcome.image);
    if (seen.length === 3) break;
  }
  await expect(readWhole(seen[2]!)).rejects.toThrow("cannot read");
});

test("a large mask in parts marks what it marks as a whole", async () => {
  const marks = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i % 7 === 0 ? 1 : 0));
  await sharp(marks, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toFile(at("mask.png"));
  for (const resize of ["stretch", "letterbox", "crop"] as const) {
    const placed = (mask: { width: number; height: number }) => placementOf(resize, mask, { width: 24, height: 24 });
    const whole = await decodeMasks([at("mask.png")], 24, 24, placed);
    expect(whole!.includes(1)).toBe(true);
    expect(await decodeMasks([at("mask.png")], 24, 24, placed, 100)).toEqual(whole);
  }
});

test.each([1, 3, 4] as const)("a PNG of %i channels in parts holds the samples that it was given", async (channels) => {
  const [width, height] = [301, 257];
  const samples = Uint8Array.from(
    { length: width * height * channels },
    (_, i) => (Math.imul(i, 2_654_435_761) >>> 20) & 255,
  );
  async function* bands(): AsyncGenerator<Uint8Array> {
    const row = width * channels;
    for (const [first, end] of [
      [0, 1],
      [1, 100],
      [100, 257],
    ] as const)
      yield samples.subarray(first * row, end * row);
  }
  const parts: Uint8Array[] = [];
  for await (const part of pngParts({ width, height }, channels, bands())) parts.push(part);
  expect(parts.length).toBeGreaterThan(4);
  const { data, info } = await sharp(Buffer.concat(parts), { failOn: "warning" })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([width, height, channels]);
  expect(new Uint8Array(data)).toEqual(samples);
});

test("a PNG ends with the error of what gives its rows", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    throw new Error("no more rows");
  }
  const read = async (): Promise<void> => {
    for await (const _ of pngParts({ width: 10, height: 2 }, 1, broken()));
  };
  await expect(read()).rejects.toThrow("no more rows");
});

test("a shrunk copy has the means of squares, a shrunk map their largest values", async () => {
  const data = Uint8Array.from({ length: 4 * 10 * 6 }, (_, i) =>
    i % 4 === 3 ? 255 : 10 * (Math.floor(i / 4) % 10) + (i % 4),
  );
  const image = { width: 10, height: 6, data };
  expect(await shrunkCopy(image, 10)).toBe(image);
  const copy = await shrunkCopy(image, 5);
  expect([copy.width, copy.height]).toEqual([5, 3]);
  expect([...copy.data.subarray(0, 8)]).toEqual([5, 6, 7, 255, 25, 26, 27, 255]);
  const size = { width: 5, height: 3 };
  const map = Float32Array.from({ length: 15 }, (_, i) => (i * 7) % 15);
  const inspection = { map, size, photograph: image, placement: placementOf("stretch", image, size) };
  expect(shrunkMap(inspection, 5)).toBe(inspection);
  const shrunk = shrunkMap(inspection, 3);
  expect(shrunk.size).toEqual({ width: 3, height: 2 });
  expect([...shrunk.map]).toEqual(
    Array.from({ length: 6 }, (_, i) => {
      const [x, y] = [i % 3, Math.floor(i / 3)];
      const block = [0, 1].flatMap((v) => [0, 1].map((u) => [2 * x + u, 2 * y + v] as const));
      return Math.max(...block.filter(([u, v]) => u < 5 && v < 3).map(([u, v]) => map[v * 5 + u]!));
    }),
  );
});
