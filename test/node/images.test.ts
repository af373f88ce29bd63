import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, decodeImages } from "../../src/node/images.ts";
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

  test("transparency as if it were not there", async () => {
    const rgba = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) => (i % 4 === 3 ? 0 : 200));
    await sharp(rgba, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } }).png().toFile(file("clear.png"));
    const image = await decodeImage(file("clear.png"));
    expect(image.data).toEqual(rgba.map((v, i) => (i % 4 === 3 ? 255 : v)));
  });

  test("EXIF orientation, applied", async () => {
    await source().withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toFile(file("turned.jpg"));
    const image = await decodeImage(file("turned.jpg"));
    expect([image.width, image.height]).toEqual([HEIGHT, WIDTH]);
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
    ["text called bmp", "text.bmp", Buffer.from("hello, this is no bitmap at all, whatever its name may say"), ""],
  ])("%s", async (_what, name, contents, reason) => {
    if (contents) await writeFile(file(name), contents);
    const error: Error = await decodeImage(file(name)).then(() => new Error("it was read"), (error: Error) => error);
    expect(error.message).toContain(`cannot read ${file(name)}: ${reason}`);
    expect(error.message).not.toContain("\n");
    expect(error.name).toBe("InputError");
  });

  test("a truncated JPEG", async () => {
    const noise = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * 7919) % 256);
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } }).jpeg().toBuffer();
    await writeFile(file("cut.jpg"), whole.subarray(0, Math.floor(whole.length / 2)));
    await expect(decodeImage(file("cut.jpg"))).rejects.toThrow(`cannot read ${file("cut.jpg")}: the image is cut off or damaged`);
  });
});

test("decodeImages keeps the order and goes on after a bad one", async () => {
  await source().png().toFile(file("good.png"));
  await writeFile(file("bad.png"), "no");
  const seen: string[] = [];
  for await (const outcome of decodeImages(["good.png", "bad.png", "good.png"], file, 2)) seen.push(`${outcome.item} ${"error" in outcome ? "error" : outcome.image.width}`);
  expect(seen).toEqual(["good.png 12", "bad.png error", "good.png 12"]);
});
