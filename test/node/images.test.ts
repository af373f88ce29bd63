import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, decodeImages, decodeMask, decodeMasks, encodePng } from "../../src/node/images.ts";
import { temporaryFolder } from "../temporary.ts";

const folder = await temporaryFolder();
const file = (name: string) => join(folder, name);

const [WIDTH, HEIGHT] = [12, 8];
/** Red grows along x, green along y. */
const RGB = Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => [20 * (Math.floor(i / 3) % WIDTH), 30 * Math.floor(i / 3 / WIDTH), 77][i % 3]!);
const source = () => sharp(RGB, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const rgbOf = ({ data }: { data: Uint8Array }) => data.filter((_, i) => i % 4 !== 3);

describe("decodeImage reads", () => {
  test.each([["png"], ["tiff"], ["webp"]] as const)("%s, exactly where it is lossless", async (format) => {
    await source().toFormat(format, { lossless: true, ...(format === "tiff" && { compression: "lzw" as const }) }).toFile(file(`a.${format}`));
    const image = await decodeImage(file(`a.${format}`));
    expect([image.width, image.height]).toEqual([WIDTH, HEIGHT]);
    expect(rgbOf(image)).toEqual(RGB);
  });

  test("16 bits, scaled to 8", async () => {
    const deep = Uint16Array.from(RGB, (v) => 257 * v);
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).toColourspace("rgb16").png().toFile(file("deep.png"));
    const got = rgbOf(await decodeImage(file("deep.png")));
    expect(Math.max(...got.map((v, i) => Math.abs(v - RGB[i]!)))).toBeLessThanOrEqual(1);
  });

  test("16-bit grey", async () => {
    const deep = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => 600 * i);
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } }).toColourspace("grey16").png().toFile(file("grey16.png"));
    const got = rgbOf(await decodeImage(file("grey16.png")));
    expect([got[3 * 50], got[3 * 50 + 1]]).toEqual([got[3 * 50], got[3 * 50]]);
    expect(Math.abs(got[3 * 50]! - (600 * 50) / 257)).toBeLessThanOrEqual(1);
  });

  test("8-bit grey and palettes as RGB", async () => {
    await source().greyscale().png().toFile(file("grey.png"));
    const grey = rgbOf(await decodeImage(file("grey.png")));
    expect(grey[0] === grey[1] && grey[1] === grey[2]).toBe(true);
    await source().png({ palette: true, colours: 256, dither: 0 }).toFile(file("palette.png"));
    expect(Math.max(...rgbOf(await decodeImage(file("palette.png"))).map((v, i) => Math.abs(v - RGB[i]!)))).toBeLessThan(12);
  });

  test("16-bit grey tiff", async () => {
    const deep = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => 257 * (2 * i));
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } }).toColourspace("grey16").tiff({ compression: "none" }).toFile(file("grey16.tiff"));
    expect((await sharp(file("grey16.tiff")).metadata()).depth).toBe("ushort");
    expect(rgbOf(await decodeImage(file("grey16.tiff")))).toEqual(Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => 2 * Math.floor(i / 3)));
  });

  test("CMYK as RGB", async () => {
    const flat = Uint8Array.from({ length: 3 * 16 * 16 }, (_, i) => [150, 110, 90][i % 3]!);
    await sharp(flat, { raw: { width: 16, height: 16, channels: 3 } }).toColourspace("cmyk").jpeg({ quality: 100 }).toFile(file("cmyk.jpg"));
    expect((await sharp(file("cmyk.jpg")).metadata()).space).toBe("cmyk");
    const { data } = await decodeImage(file("cmyk.jpg"));
    expect(data).toHaveLength(4 * 16 * 16);
    [150, 110, 90].forEach((level, c) => expect(Math.abs(data[c]! - level)).toBeLessThanOrEqual(12)); // the way through ink costs 10, inverted ink 40 or more
  });

  test("the first picture of several", async () => {
    const frames = Buffer.concat([Buffer.alloc(3 * 16 * 16, 40), Buffer.alloc(3 * 16 * 16, 220)]);
    const animation = sharp(frames, { raw: { width: 16, height: 32, channels: 3, pageHeight: 16 } });
    await animation.webp({ lossless: true, delay: [100, 100] }).toFile(file("two.webp"));
    expect((await sharp(file("two.webp")).metadata()).pages).toBe(2);
    const image = await decodeImage(file("two.webp"));
    expect([image.width, image.height, image.data[0]]).toEqual([16, 16, 40]);
  });

  test("transparency as if it were not there", async () => {
    const rgba = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) => (i % 4 === 3 ? 0 : 200));
    await sharp(rgba, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } }).png().toFile(file("clear.png"));
    const image = await decodeImage(file("clear.png"));
    expect(image.data).toEqual(rgba.map((v, i) => (i % 4 === 3 ? 255 : v)));
  });

  test("EXIF orientation, applied", async () => {
    await source().withMetadata({ orientation: 6 }).jpeg({ quality: 100, chromaSubsampling: "4:4:4" }).toFile(file("turned.jpg"));
    const { width, height, data } = await decodeImage(file("turned.jpg"));
    expect([width, height]).toEqual([HEIGHT, WIDTH]);
    // A quarter turn clockwise: what was on the left is on top, what was at the bottom is on the left.
    for (const [x, y] of [[0, 0], [7, 0], [0, 11], [5, 9]] as const) {
      const [red, green] = [data[4 * (y * width + x)]!, data[4 * (y * width + x) + 1]!];
      expect(Math.max(Math.abs(red - 20 * y), Math.abs(green - 30 * (HEIGHT - 1 - x)))).toBeLessThan(12);
    }
  });

  test("bmp, whatever it is called", async () => {
    const header = Buffer.alloc(54);
    header.write("BM");
    for (const [at, value] of [[2, 54 + RGB.length], [10, 54], [14, 40], [18, WIDTH], [22, -HEIGHT]] as const) header.writeInt32LE(value, at);
    for (const [at, value] of [[26, 1], [28, 24]] as const) header.writeUInt16LE(value, at);
    const bgr = RGB.map((_, i) => RGB[i - (i % 3) + 2 - (i % 3)]!); // 36 bytes a row: a multiple of four, so no padding
    await writeFile(file("bitmap.png"), Buffer.concat([header, bgr]));
    expect(rgbOf(await decodeImage(file("bitmap.png")))).toEqual(RGB);
  });
});

describe("decodeImage refuses, in one line with the name,", () => {
  test.each([
    ["a file that is not there", "none.png", null, "it does not exist"],
    ["an empty file", "empty.jpg", Buffer.alloc(0), "the file is empty"],
    ["text", "text.png", Buffer.from("hello"), "it is not an image of a known format"],
    ["a folder", ".", null, "it is a folder"],
    ["a PNG that ends in its header", "header.png", Buffer.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0]), "the image is cut off or damaged"],
    ["a bitmap that ends in its header", "header.bmp", Buffer.from("BM 14 bytes, 8"), "the image is cut off"],
    ["text called bmp", "text.bmp", Buffer.from("hello, this is no bitmap at all, whatever its name may say"), "it is not an image of a known format"],
  ])("%s", async (_what, name, contents, reason) => {
    if (contents) await writeFile(file(name), contents);
    const error: Error = await decodeImage(file(name)).then(() => new Error("it was read"), (error: Error) => error);
    expect(error.message).toContain(`cannot read ${file(name)}: ${reason}`);
    expect(error.message).not.toContain("\n");
    expect(error.name).toBe("InputError");
  });

  const formats = { jpeg: {}, png: {}, webp: { lossless: true }, tiff: { compression: "lzw" }, "tiff of jpegs": { compression: "jpeg" } };
  test.each(Object.entries(formats))("a truncated %s, wherever it ends", async (format, options) => {
    const noise = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 13) & 255);
    const [name] = format.split(" ") as ["jpeg" | "png" | "webp" | "tiff"];
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } }).toFormat(name, options).toBuffer();
    for (const share of [0.5, 0.99]) {
      await writeFile(file(`cut.${name}`), whole.subarray(0, Math.floor(share * whole.length)));
      const error: Error = await decodeImage(file(`cut.${name}`)).then(() => new Error("it was read"), (error: Error) => error);
      // A TIFF has its directory at its end: without it, it is none.
      expect(error.message).toMatch(name === "tiff" ? /: (the image is cut off or damaged|it is not an image of a known format)$/ : /: the image is cut off or damaged$/);
      expect(error.message).toContain(`cannot read ${file(`cut.${name}`)}: `);
    }
  });
});

test("decodeImages keeps the order and goes on after a bad one", async () => {
  await source().png().toFile(file("good.png"));
  await writeFile(file("bad.png"), "no");
  const seen: string[] = [];
  for await (const outcome of decodeImages(["good.png", "bad.png", "good.png"], file, 2)) seen.push(`${outcome.item} ${"error" in outcome ? "error" : outcome.image.width}`);
  expect(seen).toEqual(["good.png 12", "bad.png error", "good.png 12"]);
});

test("decodeImages takes any number of images, fewer or more than it reads ahead", async () => {
  const read = async (count: number, ahead?: number) => {
    const seen: number[] = [];
    for await (const { item } of decodeImages(Array.from({ length: count }, (_, i) => i), () => file("good.png"), ahead)) seen.push(item);
    return seen;
  };
  await source().png().toFile(file("good.png"));
  expect(await read(0)).toEqual([]);
  expect(await read(2)).toEqual([0, 1]);
  expect(await read(6, 1)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await read(6)).toEqual([0, 1, 2, 3, 4, 5]);
  for (const ahead of [0, -1, 1.5, NaN]) await expect(read(1, ahead)).rejects.toThrow("decodeImages: ahead is a whole number of at least 1");
});

test("decodeImages reads no further ahead than it was told", async () => {
  await source().png().toFile(file("good.png"));
  const asked: number[] = [];
  const pathOf = (item: number) => {
    asked.push(item);
    return file("good.png");
  };
  const images = decodeImages([0, 1, 2, 3, 4, 5], pathOf, 2);
  await images.next();
  expect(asked).toEqual([0, 1, 2]); // two waiting besides the one that is out
  await images.return(undefined);
  expect(asked).toEqual([0, 1, 2]);
});

test("encodePng is read back as it was, grey or with colours under transparency", async () => {
  const grey = Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => 2 * i);
  await writeFile(file("mask.png"), await encodePng(grey, WIDTH, HEIGHT));
  expect((await sharp(file("mask.png")).metadata()).channels).toBe(1);
  expect((await decodeImage(file("mask.png"))).data.filter((_, i) => i % 4 === 1)).toEqual(grey);
  const rgba = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) => (7 * i) % 256);
  await writeFile(file("heat.png"), await encodePng(rgba, WIDTH, HEIGHT));
  expect((await sharp(file("heat.png")).raw().toBuffer()).equals(rgba)).toBe(true);
});

describe("decodeMask marks whatever is not 0", () => {
  const SIDE = 4;
  /** One pixel marked, its value the given one. */
  const marks = (value: number) => Array.from({ length: SIDE * SIDE }, (_, i) => (i === 5 ? value : 0));
  const reds = async (path: string) => [...(await decodeMask(path)).data].filter((_, i) => i % 4 === 0);
  const expected = marks(255);

  test("of a class id in 8 bits, or in 16", async () => {
    await sharp(Uint8Array.from(marks(1)), { raw: { width: SIDE, height: SIDE, channels: 1 } }).toColourspace("b-w").png().toFile(file("id8.png"));
    await sharp(Uint16Array.from(marks(1)), { raw: { width: SIDE, height: SIDE, channels: 1 } }).toColourspace("grey16").png().toFile(file("id16.png"));
    expect((await sharp(file("id16.png")).metadata()).depth).toBe("ushort");
    expect(await reds(file("id8.png"))).toEqual(expected);
    expect(await reds(file("id16.png"))).toEqual(expected);
  });

  test("of any colour, and of none that is only transparent", async () => {
    const blue = Uint8Array.from({ length: 4 * SIDE * SIDE }, (_, i) => (i === 4 * 5 + 2 ? 1 : i % 4 === 3 ? 128 : 0));
    await sharp(blue, { raw: { width: SIDE, height: SIDE, channels: 4 } }).png().toFile(file("blue.png"));
    expect(await reds(file("blue.png"))).toEqual(expected);
    await sharp(Uint8Array.from(marks(1)), { raw: { width: SIDE, height: SIDE, channels: 1 } }).png({ palette: true }).toFile(file("few.png"));
    expect(await reds(file("few.png"))).toEqual(expected);
  });

  test("several masks, of whatever size, are one", async () => {
    const mask = (name: string, side: number, at: number) =>
      sharp(Uint8Array.from({ length: side * side }, (_, i) => (i === at ? 9 : 0)), { raw: { width: side, height: side, channels: 1 } }).png().toFile(file(name));
    await mask("first.png", 2, 0);
    await mask("second.png", 4, 15);
    expect([...(await decodeMasks([file("first.png"), file("second.png")], 4, 4))!]).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    expect(await decodeMasks([], 4, 4)).toBeNull();
  });

  test("what is no image is named", async () => {
    await writeFile(file("text.png"), "text");
    await expect(decodeMask(file("text.png"))).rejects.toThrow(`cannot read ${file("text.png")}: it is not an image of a known format`);
  });
});
