import { describe, expect, test } from "vitest";
import type { DecodedImage } from "../../src/io/image.ts";
import { AUGMENTATIONS, copiesOf, copyCount } from "../../src/io/symmetries.ts";

const [WIDTH, HEIGHT] = [3, 2];
/** A picture whose every pixel is another one. */
const picture = (): DecodedImage => ({
  width: WIDTH,
  height: HEIGHT,
  data: Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) => (i * 7) % 251),
});
/** Numbers of the pixels, row by row. */
const rowsOf = ({ width, height, data }: DecodedImage): number[][] => {
  const { data: original } = picture();
  const numberOf = (at: number): number => {
    for (let i = 0; i < original.length / 4; i++)
      if ([0, 1, 2, 3].every((c) => original[4 * i + c] === data[at + c])) return i;
    return -1;
  };
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => numberOf(4 * (row * width + column))),
  );
};
// 0 1 2
// 3 4 5
const TURNS = [
  [
    [3, 0],
    [4, 1],
    [5, 2],
  ], // clockwise
  [
    [5, 4, 3],
    [2, 1, 0],
  ],
  [
    [2, 5],
    [1, 4],
    [0, 3],
  ],
];
const MIRRORED = [
  [
    [2, 1, 0],
    [5, 4, 3],
  ],
  [
    [3, 4, 5],
    [0, 1, 2],
  ],
];
const DIAGONALS = [
  [
    [0, 3],
    [1, 4],
    [2, 5],
  ],
  [
    [5, 2],
    [4, 1],
    [3, 0],
  ],
];

describe("the copies of a picture", () => {
  test.each([
    ["none", []],
    ["rotations", TURNS],
    ["flips", [...MIRRORED, TURNS[1]!]],
    ["both", [...TURNS, ...MIRRORED, ...DIAGONALS]],
  ] as const)("%s: each pixel once, in its place", (augmentation, wanted) => {
    const copies = [...copiesOf(picture(), augmentation)].map(rowsOf);
    const sorted = (all: readonly (readonly (readonly number[])[])[]) => all.map((rows) => JSON.stringify(rows)).sort();
    expect(sorted(copies)).toEqual(sorted(wanted));
    expect(copyCount(augmentation)).toBe(wanted.length);
  });

  test("come of pixels that begin anywhere in their buffer", () => {
    const { data, ...size } = picture();
    const buffer = new Uint8Array(data.length + 1);
    buffer.set(data, 1);
    const [copy] = copiesOf({ ...size, data: buffer.subarray(1) }, "rotations");
    expect(rowsOf(copy!)).toEqual(TURNS[0]);
  });

  test("are of each choice that there is", () => {
    expect(AUGMENTATIONS).toEqual(["none", "flips", "rotations", "both"]);
  });
});
