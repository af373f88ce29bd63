import { describe, expect, test } from "vitest";
import { decodeBmp } from "../../src/io/bmp.ts";
import { InputError } from "../../src/runtime/errors.ts";

const LIMIT = 1e6;
const [WIDTH, HEIGHT] = [11, 3]; // 11 pixels fill no row of any depth but 32 bits
type Colour = readonly [number, number, number];

const le = (bytes: number, value: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor((value < 0 ? value + 2 ** 32 : value) / 256 ** i) % 256);

interface Bitmap {
  readonly bits: number;
  /** As stored, top row first. */
  readonly pixels: readonly (readonly number[])[];
  readonly palette?: readonly Colour[];
  readonly masks?: readonly number[];
  readonly header?: number;
  readonly topDown?: boolean;
  /** Bytes between the headers and the pixels. */
  readonly gap?: number;
  readonly compression?: number;
}

/** A file by the format's definition. */
function fileOf({
  bits,
  pixels,
  palette = [],
  masks = [],
  header = 40,
  topDown = false,
  gap = 0,
  compression = masks.length > 0 ? 3 : 0,
}: Bitmap): Uint8Array {
  const [width, height] = [pixels[0]!.length, pixels.length];
  const rows = pixels.map((row) => {
    const binary = row
      .map((value) =>
        bits < 16
          ? value.toString(2).padStart(bits, "0")
          : le(bits / 8, value)
              .map((byte) => byte.toString(2).padStart(8, "0"))
              .join(""),
      )
      .join("");
    const padded = binary.padEnd(32 * Math.ceil(binary.length / 32), "0");
    return Array.from({ length: padded.length / 8 }, (_, i) => parseInt(padded.slice(8 * i, 8 * i + 8), 2));
  });
  const sizes =
    header === 12
      ? [...le(2, width), ...le(2, height), ...le(2, 1), ...le(2, bits)]
      : [
          ...le(4, width),
          ...le(4, topDown ? -height : height),
          ...le(2, 1),
          ...le(2, bits),
          ...le(4, compression),
          ...le(4, 0),
          ...le(4, 2835),
          ...le(4, 2835),
          ...le(4, palette.length),
          ...le(4, 0),
        ];
  const info = [...le(4, header), ...sizes, ...masks.flatMap((mask) => le(4, mask))];
  while (info.length < header) info.push(0);
  const colours = palette.flatMap(([red, green, blue]) => [blue, green, red, ...(header === 12 ? [] : [0])]);
  const start = 14 + info.length + colours.length + gap;
  const data = (topDown ? rows : [...rows].reverse()).flat();
  return Uint8Array.from([
    0x42,
    0x4d,
    ...le(4, start + data.length),
    ...le(4, 0),
    ...le(4, start),
    ...info,
    ...colours,
    ...new Array<number>(gap).fill(9),
    ...data,
  ]);
}

const grid = (value: (x: number, y: number) => number) =>
  Array.from({ length: HEIGHT }, (_, y) => Array.from({ length: WIDTH }, (_, x) => value(x, y)));
const paletteOf = (count: number) =>
  Array.from({ length: count }, (_, i): Colour => [(37 * i + 5) % 256, (91 * i + 80) % 256, (11 * i + 160) % 256]);
const rgba = (pixels: readonly (readonly number[])[], colourOf: (value: number) => Colour) =>
  Uint8Array.from(pixels.flat().flatMap((value) => [...colourOf(value), 255]));
const scaled = (value: number, most: number) => Math.round((value * 255) / most);

const INDICES = (count: number) => grid((x, y) => (5 * x + 3 * y) % count);
const TRUE_COLOUR = grid((x, y) => 0x010000 * (20 * x) + 0x0100 * (60 * y) + (7 * x + y));
const trueColour = (value: number): Colour => [(value >>> 16) & 255, (value >>> 8) & 255, value & 255];

describe("every depth is decoded:", () => {
  const palettes = [1, 4, 8].map((bits) => ({ bits, pixels: INDICES(2 ** bits), palette: paletteOf(2 ** bits) }));
  test.each<[string, Bitmap, (value: number) => Colour]>([
    ...palettes.map((bitmap): [string, Bitmap, (value: number) => Colour] => [
      `${bitmap.bits} bit`,
      bitmap,
      (value) => bitmap.palette[value]!,
    ]),
    [
      "4 bit, fewer colours than fit",
      { bits: 4, pixels: INDICES(3), palette: paletteOf(3) },
      (value) => paletteOf(3)[value]!,
    ],
    [
      "8 bit, a colour beyond the palette is black",
      { bits: 8, pixels: INDICES(5), palette: paletteOf(4) },
      (value) => paletteOf(4)[value] ?? [0, 0, 0],
    ],
    [
      "8 bit of OS/2",
      { bits: 8, header: 12, pixels: INDICES(256), palette: paletteOf(256) },
      (value) => paletteOf(256)[value]!,
    ],
    [
      "16 bit, five bits a colour",
      { bits: 16, pixels: grid((x, y) => 1024 * (3 * x) + 32 * (10 * y) + x + y) },
      (v) => [scaled((v >> 10) & 31, 31), scaled((v >> 5) & 31, 31), scaled(v & 31, 31)],
    ],
    [
      "16 bit with masks",
      { bits: 16, masks: [0xf800, 0x7e0, 0x1f], pixels: grid((x, y) => 2048 * (3 * x) + 32 * (20 * y) + x) },
      (v) => [scaled(v >> 11, 31), scaled((v >> 5) & 63, 63), scaled(v & 31, 31)],
    ],
    ["24 bit", { bits: 24, pixels: TRUE_COLOUR }, trueColour],
    ["24 bit, a gap before the pixels", { bits: 24, pixels: TRUE_COLOUR, gap: 6 }, trueColour],
    ["24 bit, top row first", { bits: 24, pixels: TRUE_COLOUR, topDown: true }, trueColour],
    [
      "32 bit, its fourth byte ignored",
      { bits: 32, pixels: TRUE_COLOUR.map((row) => row.map((v, x) => v + 0x1000000 * x)) },
      trueColour,
    ],
    [
      "32 bit with masks, red highest",
      {
        bits: 32,
        header: 108,
        masks: [0xff000000, 0xff0000, 0xff00, 0xff],
        pixels: TRUE_COLOUR.map((row) => row.map((v) => v * 256 + 1)),
      },
      (v) => trueColour(Math.floor(v / 256)),
    ],
  ])("%s", (_what, bitmap, colourOf) => {
    const file = fileOf(bitmap);
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3); // as a Node Buffer lies in its pool
    for (const bytes of [file, shifted.subarray(3)])
      expect(decodeBmp(bytes, LIMIT)).toEqual({ width: WIDTH, height: HEIGHT, data: rgba(bitmap.pixels, colourOf) });
  });
});

describe("what cannot be decoded is refused:", () => {
  const whole = fileOf({ bits: 24, pixels: TRUE_COLOUR });
  const changed = (at: number, ...bytes: number[]) => {
    const file = whole.slice();
    file.set(bytes, at);
    return file;
  };
  test.each([
    ["a file cut off by a byte", whole.subarray(0, -1), LIMIT, "the image is cut off"],
    ["a file cut off in its header", whole.subarray(0, 40), LIMIT, "the image is cut off"],
    ["a file of two letters", whole.subarray(0, 2), LIMIT, "the image is cut off"],
    ["masks that are not there", fileOf({ bits: 16, pixels: [[1]], compression: 3 }), LIMIT, "the image is cut off"],
    [
      "text that begins with BM",
      new TextEncoder().encode("BM is what this text begins with, and it is no bitmap"),
      LIMIT,
      "it is not an image of a known format",
    ],
    [
      "run lengths",
      fileOf({ bits: 8, pixels: INDICES(4), palette: paletteOf(4), compression: 1 }),
      LIMIT,
      "it is a compressed bmp; convert it to png",
    ],
    ["a depth that there is not", changed(28, 7), LIMIT, "the image is damaged"],
    ["no pixels", changed(18, 0, 0, 0, 0), LIMIT, "the image is damaged"],
    ["more pixels than are allowed", whole, WIDTH * HEIGHT - 1, `it has more than ${WIDTH * HEIGHT - 1} pixels`],
    ["more pixels than the file holds", changed(18, 0, 0, 1), LIMIT, "the image is cut off"],
  ])("%s", (_what, file, limit, message) => {
    expect(() => decodeBmp(file, limit)).toThrow(new InputError(message));
  });
});
