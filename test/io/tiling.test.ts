import { describe, expect, test } from "vitest";
import { tilesOf, tileStarts, tilingProblem } from "../../src/io/tiling.ts";

describe("tiles along an axis", () => {
  test.each<[name: string, extent: number, tile: number, overlap: number, starts: number[]]>([
    ["side by side", 96, 32, 0, [0, 32, 64]],
    ["overlapping", 80, 32, 8, [0, 24, 48]],
    ["the last one moved inward", 70, 32, 8, [0, 24, 38]],
    ["the last one moved inward by all but a pixel", 57, 32, 8, [0, 24, 25]],
    ["half of each shared", 64, 32, 16, [0, 16, 32]],
    ["exactly one", 32, 32, 8, [0]],
    ["one that reaches beyond the end", 20, 32, 8, [0]],
  ])("%s", (_name, extent, tile, overlap, starts) => {
    expect(tileStarts(extent, { tile, overlap })).toEqual(starts);
  });
});

test.each([
  [1000, 700, 448, 64],
  [4000, 3000, 448, 64],
  [449, 448, 448, 0],
  [50, 900, 64, 32],
])(
  "every pixel of %i x %i lies in a tile, and neighbours share what they are told to",
  (width, height, tile, overlap) => {
    const tiles = tilesOf({ width, height }, { tile, overlap });
    for (const [start, extent, side] of [
      ["left", "width", width],
      ["top", "height", height],
    ] as const) {
      const starts = [...new Set(tiles.map((one) => one[start]))].sort((a, b) => a - b);
      expect(starts[0]).toBe(0);
      if (side >= tile) expect(starts.at(-1)).toBe(side - tile);
      else expect(starts).toEqual([0]);
      starts.slice(1).forEach((next, i) => expect(starts[i]! + tile - next).toBeGreaterThanOrEqual(overlap));
      for (const one of tiles) expect(one[extent]).toBe(tile);
    }
    const columns = new Set(tiles.map(({ left }) => left)).size;
    expect(new Set(tiles.map(({ left, top }) => `${left},${top}`)).size).toBe(tiles.length);
    expect(tiles.slice(0, columns).every(({ top }) => top === 0)).toBe(true); // row by row
  },
);

test("tiles that cannot be used are refused with the values and a remedy", () => {
  expect(tilingProblem({ tile: 448, overlap: 64 }, 224)).toBeNull();
  expect(tilingProblem({ tile: 31, overlap: 0 }, 64)).toBe(
    "expected tile to be a whole number from 32 to 16384, got 31",
  );
  expect(tilingProblem({ tile: 100, overlap: 51 }, 224)).toBe(
    "expected overlap to be a whole number from 0 to half of the tile (50), got 51",
  );
  expect(tilingProblem({ tile: 55, overlap: 8 }, 224)).toBe(
    "a tile of 55 pixels would be enlarged more than 4 times to 224: use a tile of at least 56, or a smaller input size",
  );
  expect(tilingProblem({ tile: 56, overlap: 8 }, 224)).toBeNull();
});
