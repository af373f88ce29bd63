import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeImage, decodeImages, decodeMask, decodeMasks, decoding, encodePng } from "../../src/node/images.ts";
import { pictureReader } from "../../src/node/picture_reader.ts";
import { tiffOf, type Tag } from "../harness/pictures.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const folder = await temporaryFolder();
const file = (name: string) => join(folder, name);

const [WIDTH, HEIGHT] = [12, 8];
/** Red grows along x, green along y. */
const RGB = Uint8Array.from(
  { length: 3 * WIDTH * HEIGHT },
  (_, i) => [20 * (Math.floor(i / 3) % WIDTH), 30 * Math.floor(i / 3 / WIDTH), 77][i % 3]!,
);
const source = () => sharp(RGB, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
const rgbOf = ({ data }: { data: Uint8Array }) => data.filter((_, i) => i % 4 !== 3);

describe("decodeImage reads", () => {
  test.each([["png"], ["tiff"], ["webp"]] as const)("%s, exactly where it is lossless", async (format) => {
    await source()
      .toFormat(format, { lossless: true, ...(format === "tiff" && { compression: "lzw" as const }) })
      .toFile(file(`a.${format}`));
    const image = await decodeImage(file(`a.${format}`));
    expect([image.width, image.height]).toEqual([WIDTH, HEIGHT]);
    expect(rgbOf(image)).toEqual(RGB);
  });

  test("16 bits, scaled to 8", async () => {
    const deep = Uint16Array.from(RGB, (v) => 257 * v);
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toFile(file("deep.png"));
    const got = rgbOf(await decodeImage(file("deep.png")));
    expect(Math.max(...got.map((v, i) => Math.abs(v - RGB[i]!)))).toBeLessThanOrEqual(1);
  });

  test("16-bit grey", async () => {
    const deep = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => 600 * i);
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toFile(file("grey16.png"));
    const got = rgbOf(await decodeImage(file("grey16.png")));
    expect([got[3 * 50], got[3 * 50 + 1]]).toEqual([got[3 * 50], got[3 * 50]]);
    expect(Math.abs(got[3 * 50]! - (600 * 50) / 257)).toBeLessThanOrEqual(1);
  });

  test("8-bit grey and palettes as RGB", async () => {
    await source().greyscale().png().toFile(file("grey.png"));
    const grey = rgbOf(await decodeImage(file("grey.png")));
    expect(grey[0] === grey[1] && grey[1] === grey[2]).toBe(true);
    await source().png({ palette: true, colours: 256, dither: 0 }).toFile(file("palette.png"));
    expect(
      Math.max(...rgbOf(await decodeImage(file("palette.png"))).map((v, i) => Math.abs(v - RGB[i]!))),
    ).toBeLessThan(12);
  });

  test("16-bit grey tiff", async () => {
    const deep = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => 257 * (2 * i));
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
      .toColourspace("grey16")
      .tiff({ compression: "none" })
      .toFile(file("grey16.tiff"));
    expect((await sharp(file("grey16.tiff")).metadata()).depth).toBe("ushort");
    expect(rgbOf(await decodeImage(file("grey16.tiff")))).toEqual(
      Uint8Array.from({ length: 3 * WIDTH * HEIGHT }, (_, i) => 2 * Math.floor(i / 3)),
    );
  });

  test("CMYK as RGB", async () => {
    const flat = Uint8Array.from({ length: 3 * 16 * 16 }, (_, i) => [150, 110, 90][i % 3]!);
    await sharp(flat, { raw: { width: 16, height: 16, channels: 3 } })
      .toColourspace("cmyk")
      .jpeg({ quality: 100 })
      .toFile(file("cmyk.jpg"));
    expect((await sharp(file("cmyk.jpg")).metadata()).space).toBe("cmyk");
    const { data } = await decodeImage(file("cmyk.jpg"));
    expect(data).toHaveLength(4 * 16 * 16);
    const [c, m, y, k] = (await sharp(file("cmyk.jpg"))
      .pipelineColourspace("cmyk")
      .toColourspace("cmyk")
      .raw()
      .toBuffer()) as unknown as [number, number, number, number];
    expect([...data.subarray(0, 4)]).toEqual([
      ...[c, m, y].map((ink) => Math.round(((255 - ink) * (255 - k)) / 255)),
      255,
    ]);
    await sharp(flat, { raw: { width: 16, height: 16, channels: 3 } })
      .withIccProfile("cmyk")
      .jpeg({ quality: 100 })
      .toFile(file("profile.jpg"));
    const profiled = await decodeImage(file("profile.jpg"));
    // inverted ink costs 40 or more
    [150, 110, 90].forEach((level, c) => expect(Math.abs(profiled.data[c]! - level)).toBeLessThanOrEqual(30));
  });

  test("a black of all ink as black", async () => {
    const black = Buffer.alloc(4 * 8 * 8, 255);
    await writeFile(
      file("black.tif"),
      tiffOf(black, 8, 8, 8, [
        [262, 3, 5],
        [277, 3, 4],
      ]),
    );
    expect(new Set(rgbOf(await decodeImage(file("black.tif"))))).toEqual(new Set([0]));
    expect((await decodeMask(file("black.tif"))).data[0]).toBe(0);
  });

  test("the colours of a profile as sRGB, in 8 bits and in 16", async () => {
    const deep = Uint16Array.from(RGB, (v) => 256 * v);
    await source().withIccProfile("p3").png().toFile(file("p3.png"));
    const profiled = await sharp(file("p3.png"), { ignoreIcc: true }).raw().toBuffer();
    expect(profiled.equals(RGB)).toBe(false);
    const shown = rgbOf(await decodeImage(file("p3.png")));
    expect(Math.max(...shown.map((v, i) => Math.abs(v - RGB[i]!)))).toBeLessThanOrEqual(2);
    await sharp(deep, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .toColourspace("rgb16")
      .withIccProfile("p3")
      .png()
      .toFile(file("deepP3.png"));
    // sharp has written the samples as they are, and calls them P3
    const converted = rgbOf(await decodeImage(file("deepP3.png")));
    expect(Math.max(...converted.map((v, i) => Math.abs(v - RGB[i]!)))).toBeGreaterThan(5);
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
    await sharp(rgba, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } })
      .png()
      .toFile(file("clear.png"));
    const image = await decodeImage(file("clear.png"));
    expect(image.data).toEqual(rgba.map((v, i) => (i % 4 === 3 ? 255 : v)));
  });

  test("EXIF orientation, applied", async () => {
    await source()
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
      .toFile(file("turned.jpg"));
    const { width, height, data } = await decodeImage(file("turned.jpg"));
    expect([width, height]).toEqual([HEIGHT, WIDTH]);
    // A quarter turn clockwise: what was on the left is on top, what was at the bottom is on the left.
    for (const [x, y] of [
      [0, 0],
      [7, 0],
      [0, 11],
      [5, 9],
    ] as const) {
      const [red, green] = [data[4 * (y * width + x)]!, data[4 * (y * width + x) + 1]!];
      expect(Math.max(Math.abs(red - 20 * y), Math.abs(green - 30 * (HEIGHT - 1 - x)))).toBeLessThan(12);
    }
  });

  // Where the pixel that is shown at (x, y) is stored, in a picture whose stored sides are w and h: the table of the
  // EXIF standard.
  test.each<readonly [number, (x: number, y: number, w: number, h: number) => readonly [number, number]]>([
    [1, (x, y) => [x, y]],
    [2, (x, y, w) => [w - 1 - x, y]],
    [3, (x, y, w, h) => [w - 1 - x, h - 1 - y]],
    [4, (x, y, _w, h) => [x, h - 1 - y]],
    [5, (x, y) => [y, x]],
    [6, (x, y, _w, h) => [y, h - 1 - x]],
    [7, (x, y, w, h) => [w - 1 - y, h - 1 - x]],
    [8, (x, y, w) => [w - 1 - y, x]],
  ])("orientation %i to the pixel, whatever the format", async (orientation, stored) => {
    for (const format of ["png", "webp", "tiff"] as const) {
      const lossless =
        format === "webp" ? { lossless: true } : format === "tiff" ? { compression: "lzw" as const } : {};
      await source()
        .withMetadata({ orientation })
        .toFormat(format, lossless)
        .toFile(file(`oriented.${format}`));
      const { width, height, data } = await decodeImage(file(`oriented.${format}`));
      expect([width, height]).toEqual(orientation > 4 ? [HEIGHT, WIDTH] : [WIDTH, HEIGHT]);
      const expected = Array.from({ length: width * height }, (_, i) => {
        const [x, y] = stored(i % width, Math.floor(i / width), WIDTH, HEIGHT);
        return [20 * x, 30 * y, 77, 255];
      });
      expect([...data]).toEqual(expected.flat());
    }
  });

  test("bmp, whatever it is called", async () => {
    const header = Buffer.alloc(54);
    header.write("BM");
    for (const [at, value] of [
      [2, 54 + RGB.length],
      [10, 54],
      [14, 40],
      [18, WIDTH],
      [22, -HEIGHT],
    ] as const)
      header.writeInt32LE(value, at);
    for (const [at, value] of [
      [26, 1],
      [28, 24],
    ] as const)
      header.writeUInt16LE(value, at);
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
    [
      "a PNG that ends in its header",
      "header.png",
      Buffer.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0]),
      "the image is cut off or damaged",
    ],
    ["a bitmap that ends in its header", "header.bmp", Buffer.from("BM 14 bytes, 8"), "the image is cut off"],
    [
      "text called bmp",
      "text.bmp",
      Buffer.from("hello, this is no bitmap at all, whatever its name may say"),
      "it is not an image of a known format",
    ],
  ])("%s", async (_what, name, contents, reason) => {
    if (contents) await writeFile(file(name), contents);
    const error: Error = await decodeImage(file(name)).then(
      () => new Error("it was read"),
      (error: Error) => error,
    );
    expect(error.message).toContain(`cannot read ${file(name)}: ${reason}`);
    expect(error.message).not.toContain("\n");
    expect(error.name).toBe("InputError");
  });

  const formats = {
    jpeg: {},
    png: {},
    webp: { lossless: true },
    tiff: { compression: "lzw" },
    "tiff of jpegs": { compression: "jpeg" },
  };
  test.each(Object.entries(formats))("a truncated %s, wherever it ends", async (format, options) => {
    const noise = Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 13) & 255);
    const [name] = format.split(" ") as ["jpeg" | "png" | "webp" | "tiff"];
    const whole = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .toFormat(name, options)
      .toBuffer();
    for (const share of [0.5, 0.99]) {
      await writeFile(file(`cut.${name}`), whole.subarray(0, Math.floor(share * whole.length)));
      const error: Error = await decodeImage(file(`cut.${name}`)).then(
        () => new Error("it was read"),
        (error: Error) => error,
      );
      // A TIFF has its directory at its end: without it, it is none.
      expect(error.message).toMatch(
        name === "tiff"
          ? /: (the image is cut off or damaged|it is not an image of a known format)$/
          : /: the image is cut off or damaged$/,
      );
      expect(error.message).toContain(`cannot read ${file(`cut.${name}`)}: `);
    }
  });
});

test("decodeImages keeps the order and goes on after a bad one", async () => {
  await source().png().toFile(file("good.png"));
  await writeFile(file("bad.png"), "no");
  const seen: string[] = [];
  for await (const outcome of decodeImages(["good.png", "bad.png", "good.png"], file, { ahead: 2 }))
    seen.push(`${outcome.item} ${"error" in outcome ? "error" : outcome.image.width}`);
  expect(seen).toEqual(["good.png 12", "bad.png error", "good.png 12"]);
});

test("decodeImages takes any number of images, fewer or more than it reads ahead", async () => {
  const read = async (count: number, ahead?: number) => {
    const seen: number[] = [];
    for await (const { item } of decodeImages(
      Array.from({ length: count }, (_, i) => i),
      () => file("good.png"),
      ahead === undefined ? {} : { ahead },
    ))
      seen.push(item);
    return seen;
  };
  await source().png().toFile(file("good.png"));
  expect(await read(0)).toEqual([]);
  expect(await read(2)).toEqual([0, 1]);
  expect(await read(6, 1)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(await read(6)).toEqual([0, 1, 2, 3, 4, 5]);
  for (const ahead of [0, -1, 1.5, NaN])
    await expect(read(1, ahead)).rejects.toThrow("decodeImages: ahead is a whole number of at least 1");
});

test("decodeImages reads no further ahead than it was told", async () => {
  await source().png().toFile(file("good.png"));
  const asked: number[] = [];
  const pathOf = (item: number) => {
    asked.push(item);
    return file("good.png");
  };
  const images = decodeImages([0, 1, 2, 3, 4, 5], pathOf, { ahead: 2 });
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
    await sharp(Uint8Array.from(marks(1)), { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toFile(file("id8.png"));
    await sharp(Uint16Array.from(marks(1)), { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toFile(file("id16.png"));
    expect((await sharp(file("id16.png")).metadata()).depth).toBe("ushort");
    expect(await reds(file("id8.png"))).toEqual(expected);
    expect(await reds(file("id16.png"))).toEqual(expected);
  });

  test("of any colour, and of none that is only transparent", async () => {
    const blue = Uint8Array.from({ length: 4 * SIDE * SIDE }, (_, i) => (i === 4 * 5 + 2 ? 1 : i % 4 === 3 ? 128 : 0));
    await sharp(blue, { raw: { width: SIDE, height: SIDE, channels: 4 } })
      .png()
      .toFile(file("blue.png"));
    expect(await reds(file("blue.png"))).toEqual(expected);
    await sharp(Uint8Array.from(marks(1)), { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .png({ palette: true })
      .toFile(file("few.png"));
    expect(await reds(file("few.png"))).toEqual(expected);
  });

  test("several masks, of whatever size, are one", async () => {
    const mask = (name: string, side: number, at: number) =>
      sharp(
        Uint8Array.from({ length: side * side }, (_, i) => (i === at ? 9 : 0)),
        { raw: { width: side, height: side, channels: 1 } },
      )
        .png()
        .toFile(file(name));
    await mask("first.png", 2, 0);
    await mask("second.png", 4, 15);
    expect([...(await decodeMasks([file("first.png"), file("second.png")], 4, 4))!]).toEqual([
      1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ]);
    expect(await decodeMasks([], 4, 4)).toBeNull();
  });

  test("what is no image is named", async () => {
    await writeFile(file("text.png"), "text");
    await expect(decodeMask(file("text.png"))).rejects.toThrow(
      `cannot read ${file("text.png")}: it is not an image of a known format`,
    );
  });
});

describe("a TIFF's samples are read on the range that its type or its tags state:", () => {
  const STEPS = Array.from({ length: WIDTH * HEIGHT }, (_, i) => i / (WIDTH * HEIGHT - 1));
  const packed = (bits: number) => {
    const rows = Array.from({ length: HEIGHT }, (_, y) =>
      STEPS.slice(y * WIDTH, (y + 1) * WIDTH)
        .map((t) =>
          Math.floor(t * (2 ** bits - 1))
            .toString(2)
            .padStart(bits, "0"),
        )
        .join(""),
    );
    return Buffer.concat(
      rows.map((row) =>
        Buffer.from(
          row
            .padEnd(8 * Math.ceil(row.length / 8), "0")
            .match(/.{8}/g)!
            .map((byte) => parseInt(byte, 2)),
        ),
      ),
    );
  };
  const floats = Float32Array.from(STEPS, (t) => 0.45 * t);
  const write = async (samples: Parameters<typeof tiffOf>[0], bits: number, tags: readonly Tag[] = []) => {
    await writeFile(file("kind.tif"), tiffOf(samples, WIDTH, HEIGHT, bits, tags));
    return file("kind.tif");
  };
  const greys = async (path: string) => [...(await decodeImage(path)).data].filter((_, i) => i % 4 === 0);
  const eighth = STEPS.map((t) => Math.floor(65_535 * t) >> 8);

  test("8 and 16 bits on all that they can hold, black at either end", async () => {
    expect(
      await greys(
        await write(
          Uint16Array.from(STEPS, (t) => 65_535 * t),
          16,
        ),
      ),
    ).toEqual(eighth);
    expect(
      await greys(
        await write(
          Uint16Array.from(STEPS, (t) => 65_535 * t),
          16,
          [[339, 3, 4]],
        ),
      ),
    ).toEqual(eighth);
    expect(
      await greys(
        await write(
          Uint16Array.from(STEPS, (t) => 65_535 * t),
          16,
          [[262, 3, 0]],
        ),
      ),
    ).toEqual(eighth.map((v) => 255 - v));
    expect(
      await greys(
        await write(
          Uint8Array.from(STEPS, (t) => 255 * t),
          8,
          [[262, 3, 0]],
        ),
      ),
    ).toEqual(STEPS.map((t) => 255 - Math.floor(255 * t)));
  });

  test.each([1, 2, 4])("%i bits on theirs", async (bits) => {
    expect(await greys(await write(packed(bits), bits))).toEqual(
      STEPS.map((t) => Math.floor(t * (2 ** bits - 1)) * (255 / (2 ** bits - 1))),
    );
    expect((await pictureReader(folder).facts("kind.tif")).mode).toBe(`grey ${bits}-bit`);
  });

  test("12 bits in 16 where a tag says so, whatever the values are", async () => {
    const values = Uint16Array.from(STEPS, (t) => 2000 * t);
    expect(await greys(await write(values, 16, [[281, 3, 4095]]))).toEqual([...values].map((v) => v >> 4));
    expect((await pictureReader(folder).facts("kind.tif")).mode).toBe("grey 16-bit of 0 to 4095");
    await expect(decodeImage(await write(values, 16, [[281, 3, 255]]))).rejects.toThrow(
      "kind.tif: its tags state a range of 0 to 255, and it holds 273; write it with the range that it has",
    );
  });

  test("without a tag they are as 16 bits have them, and what they reach is told", async () => {
    const values = Uint16Array.from(STEPS, (t) => 4095 * t);
    expect(await greys(await write(values, 16))).toEqual([...values].map((v) => v >> 8));
    expect((await decodeImage(file("kind.tif"))).sampleHigh).toBe(4095);
    expect(await pictureReader(folder).facts("kind.tif")).toMatchObject({ mode: "grey 16-bit", sampleHigh: 4095 });
    await sharp(values, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
      .toColourspace("grey16")
      .png()
      .toFile(file("kind.png"));
    expect((await pictureReader(folder).facts("kind.png")).sampleHigh).toBe(4095);
  });

  test("floating-point numbers and 32-bit integers on a stated one", async () => {
    const tags = (low: number, high: number): readonly Tag[] => [
      [339, 3, 3],
      [340, 11, low],
      [341, 11, high],
    ];
    expect(await greys(await write(floats, 32, tags(0, 1)))).toEqual([...floats].map((v) => Math.floor(255 * v + 0.5)));
    expect((await pictureReader(folder).facts("kind.tif")).mode).toBe("grey 32-bit float of 0 to 1");
    expect(
      await greys(
        await write(
          Uint32Array.from(STEPS, (t) => 1000 * t),
          32,
          [
            [340, 4, 0],
            [341, 4, 1000],
          ],
        ),
      ),
    ).toEqual(STEPS.map((t) => Math.floor((255 * Math.floor(1000 * t)) / 1000 + 0.5)));
    await expect(
      decodeImage(
        await write(
          Float32Array.from(floats, () => NaN),
          32,
          tags(0, 1),
        ),
      ),
    ).rejects.toThrow("it holds NaN");
  });

  test.each<readonly [string, Parameters<typeof tiffOf>[0], number, readonly Tag[], string]>([
    [
      "floating-point numbers",
      floats,
      32,
      [[339, 3, 3]],
      "it holds 32-bit floating-point numbers and does not state which are black and white; convert all images to 16-bit integers, with one range for all",
    ],
    [
      "half floats",
      Uint16Array.from(STEPS, () => 0x3800),
      16,
      [[339, 3, 3]],
      "it holds 16-bit floating-point numbers; convert all images",
    ],
    ["doubles", Float64Array.from(STEPS), 64, [[339, 3, 3]], "it holds 64-bit floating-point numbers; convert"],
    [
      "32-bit integers",
      Uint32Array.from(STEPS, (t) => 1000 * t),
      32,
      [],
      "it holds 32-bit unsigned integers and does not state which are black and white; convert",
    ],
    [
      "signed integers",
      Int16Array.from(STEPS, (t) => 1000 * t),
      16,
      [[339, 3, 2]],
      "it holds 16-bit signed integers; convert",
    ],
    [
      "signed bytes",
      Int8Array.from(STEPS, (t) => 100 * t),
      8,
      [[339, 3, 2]],
      "it holds 8-bit signed integers; convert",
    ],
    [
      "10 bits",
      packed(10),
      10,
      [],
      "it holds 10-bit unsigned integers; convert all images to 16-bit integers, each value times 64",
    ],
    ["12 bits", packed(12), 12, [], "each value times 16"],
    [
      "five bands",
      Uint8Array.from({ length: 5 * STEPS.length }, (_, i) => i),
      8,
      [[277, 3, 5]],
      "it has 5 channels, of which its tags name no more than 1 and transparency; convert it to grey or RGB",
    ],
    ["14 bits", packed(14), 14, [], "each value times 4"],
    [
      "12 bits, white first,",
      Uint16Array.from(STEPS),
      16,
      [
        [262, 3, 0],
        [281, 3, 4095],
      ],
      "it holds 16-bit unsigned integers of a stated range, white first; convert",
    ],
    [
      "CIELAB",
      Buffer.alloc(WIDTH * HEIGHT),
      8,
      [[262, 3, 8]],
      "its colours are not grey, RGB, CMYK, YCbCr or a palette; convert it to RGB",
    ],
    [
      "a thumbnail",
      Buffer.alloc(WIDTH * HEIGHT),
      8,
      [[254, 4, 1]],
      "it is a camera's raw file, or begins with a thumbnail; convert it to JPEG or PNG",
    ],
  ])("%s without one are refused, with what to do", async (_what, samples, bits, tags, reason) => {
    const path = await write(samples, bits, tags);
    const error = await decodeImage(path).then(
      () => new Error("it was read"),
      (error: Error) => error,
    );
    expect(error.message).toContain(`cannot read ${path}: it`);
    expect(error.message).toContain(reason);
    await expect(pictureReader(folder).facts("kind.tif")).rejects.toThrow(reason);
  });

  test("masks need none: whatever is not 0 marks", async () => {
    const marks = STEPS.map((_, i) => Number(i === 5));
    const reds = async (path: string) => [...(await decodeMask(path)).data].filter((_, i) => i % 4 === 0);
    const expected = marks.map((mark) => 255 * mark);
    expect(await reds(await write(Uint32Array.from(marks), 32))).toEqual(expected);
    expect(
      await reds(
        await write(
          Float32Array.from(marks, (mark) => 0.001 * mark),
          32,
          [[339, 3, 3]],
        ),
      ),
    ).toEqual(expected);
    expect(
      await reds(
        await write(
          Int8Array.from(marks, (mark) => -mark),
          8,
          [[339, 3, 2]],
        ),
      ),
    ).toEqual(expected);
    await expect(decodeMask(await write(Int16Array.from(marks), 16, [[339, 3, 2]]))).rejects.toThrow(
      "it holds 16-bit signed integers; convert it to 8 bits, 0 where the part is good",
    );
  });
});

describe("memory is bounded by what headers claim:", () => {
  test("pictures that are decoded at a time take turns, all of them", async () => {
    const side = 6000; // 288 MB while it is decoded: two would be more than all may take
    await sharp({ create: { width: side, height: side, channels: 3, background: "grey" } })
      .png()
      .toFile(file("large.png"));
    const sizes = await Promise.all(
      [decodeImage(file("large.png")), decodeMask(file("large.png")), decodeImage(file("large.png"))].map((read) =>
        read.then(({ width }) => width),
      ),
    );
    expect(sizes).toEqual(Array(3).fill(side));
    expect(decoding.peak).toBe(8 * side * side);
    expect(decoding.inFlight).toBe(0);
  });

  test("a sequence decodes no more ahead than fits, though the first ones are small", async () => {
    await source().png().toFile(file("good.png"));
    await sharp({ create: { width: 1000, height: 1000, channels: 3, background: "grey" } })
      .png()
      .toFile(file("wide.png"));
    const names = ["good.png", "wide.png", "none.png", "wide.png", "wide.png", "good.png"];
    const seen: string[] = [];
    for await (const outcome of decodeImages(names, file, { ahead: 4, budget: 4e6 }))
      seen.push("image" in outcome ? String(outcome.image.width) : "error");
    expect(seen).toEqual(["12", "1000", "error", "1000", "1000", "12"]);
  });
});
