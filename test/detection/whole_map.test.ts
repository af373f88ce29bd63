// The map of a photograph is put together from those of its tiles.
import { describe, expect, test } from "vitest";
import { WholeMap, wholeMapSize } from "../../src/detection/whole_map.ts";
import { wholeScore } from "../../src/detection/whole_score.ts";
import { imageScores } from "../../src/detection/scoring.ts";
import { tilesOf, type Tiling } from "../../src/io/tiling.ts";
import type { Rectangle, Size } from "../../src/io/placement.ts";
import type { Scoring } from "../../src/methods/method.ts";
import { fromArray, toArray } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";

const SIDE = 16; // of a tile's map

/** The whole map of tiles whose maps are made by `valueAt`, of pixels of the photograph. */
function joined(
  photograph: Size,
  tiling: Tiling,
  valueAt: (x: number, y: number) => number,
  { size = wholeMapSize(photograph, tiling, SIDE), tiles = tilesOf(photograph, tiling), inParts = false } = {},
): Float32Array {
  const whole = new WholeMap(photograph, tiling, SIDE, size, inParts);
  for (const tile of tiles) whole.add(tile, mapOf(tile, valueAt), null);
  return whole.finish(null);
}

const mapOf = ({ left, top, width }: Rectangle, valueAt: (x: number, y: number) => number): Float32Array =>
  Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
    const at = (start: number, nth: number): number => start + ((nth + 0.5) * width) / SIDE;
    return valueAt(at(left, i % SIDE), at(top, Math.floor(i / SIDE)));
  });

const PHOTOGRAPHS: readonly (readonly [name: string, photograph: Size, tiling: Tiling])[] = [
  ["on the grid", { width: 88, height: 60 }, { tile: 32, overlap: 4 }],
  ["off the grid, the last tiles moved inward", { width: 101, height: 67 }, { tile: 32, overlap: 5 }],
  ["without overlap", { width: 77, height: 64 }, { tile: 32, overlap: 0 }],
  ["half of each tile shared", { width: 75, height: 48 }, { tile: 32, overlap: 16 }],
  ["enlarged", { width: 33, height: 21 }, { tile: 10, overlap: 3 }],
  ["smaller than a tile", { width: 20, height: 70 }, { tile: 32, overlap: 8 }],
];

describe.each(PHOTOGRAPHS)("%s", (_name, photograph, tiling) => {
  test("the weights at each pixel sum to 1", () => {
    for (const value of joined(photograph, tiling, () => 1)) expect(Math.abs(value - 1)).toBeLessThan(1e-6);
  });

  test("a plane stays a plane", () => {
    const size = wholeMapSize(photograph, tiling, SIDE);
    const map = joined(photograph, tiling, (x, y) => 10 + x + 2 * y);
    const pixel = tiling.tile / SIDE;
    map.forEach((value, i) => {
      const x = ((i % size.width) + 0.5) * (photograph.width / size.width);
      const y = (Math.floor(i / size.width) + 0.5) * (photograph.height / size.height);
      // beyond the outermost centres of a tile's pixels its values are held
      expect(Math.abs(value - (10 + x + 2 * y))).toBeLessThan(3 * 0.5 * pixel + 1e-3);
      const isInside =
        [x, y].every((at) => at > pixel / 2) && x < photograph.width - pixel && y < photograph.height - pixel;
      if (isInside && tiling.overlap >= pixel) expect(Math.abs(value - (10 + x + 2 * y))).toBeLessThan(0.15 * pixel);
    });
  });

  test("some tiles left out, the others' values stay", () => {
    const tiles = tilesOf(photograph, tiling).filter((_tile, i) => i % 2 === 0);
    for (const value of joined(photograph, tiling, () => 3, { tiles, inParts: true }))
      expect(value === 0 || Math.abs(value - 3) < 1e-5).toBe(true);
  });
});

test("a tile's weight falls off smoothly where a neighbour overlaps it", () => {
  const [photograph, tiling] = [
    { width: 112, height: 64 },
    { tile: 64, overlap: 16 },
  ];
  const [first] = tilesOf(photograph, tiling);
  const size = wholeMapSize(photograph, tiling, SIDE);
  const whole = new WholeMap(photograph, tiling, SIDE, size, false);
  whole.add(first!, new Float32Array(SIDE * SIDE).fill(1), null);
  const row = [...whole.finish(null).subarray(0, size.width)];
  expect(row.slice(0, 12)).toEqual(Array(12).fill(1)); // up to where the second tile begins, at 48 of 112
  expect(row.slice(16)).toEqual(Array(12).fill(0));
  const steps = row.slice(12, 16);
  steps.forEach((weight, i) => expect(weight + steps[3 - i]!).toBeCloseTo(1, 6));
  const differences = [1, ...steps, 0].slice(1).map((weight, i) => [1, ...steps, 0][i]! - weight);
  expect(differences.every((step) => step > 0)).toBe(true);
  expect(differences[0]).toBeLessThan(differences[2]!); // slow at the ends
});

test("the map of one tile is the tile's, to the last bit", () => {
  for (const tile of [32, 100, 16, 37]) {
    const random = rng(tile);
    const map = Float32Array.from({ length: SIDE * SIDE }, () => random());
    const photograph = { width: tile, height: tile };
    const size = wholeMapSize(photograph, { tile, overlap: 4 }, SIDE);
    expect(size).toEqual({ width: SIDE, height: SIDE });
    const whole = new WholeMap(photograph, { tile, overlap: 4 }, SIDE, size, false);
    whole.add({ left: 0, top: 0 }, map, null);
    expect(whole.finish(null)).toEqual(map);
  }
});

test("a photograph of too many pixels has a coarser map, of means", () => {
  const [photograph, tiling] = [
    { width: 640, height: 320 },
    { tile: 16, overlap: 0 },
  ];
  const size = wholeMapSize(photograph, tiling, SIDE, 20 * 10 * 4 * 4);
  expect(size).toEqual({ width: 80, height: 40 });
  const map = joined(photograph, tiling, (x) => (Math.floor(x / 4) % 2 === 0 ? 2 : 0), { size });
  for (const value of map) expect(Math.abs(value - 1)).toBeLessThan(0.35);
  expect(map.reduce((sum, value) => sum + value, 0) / map.length).toBeCloseTo(1, 2);
  expect(wholeMapSize({ width: 4000, height: 3000 }, { tile: 448, overlap: 64 }, 224)).toEqual({
    width: 2000,
    height: 1500,
  });
  const { width, height } = wholeMapSize({ width: 20_000, height: 10_000 }, { tile: 224, overlap: 0 }, 224);
  expect(width * height).toBeLessThanOrEqual(1.001 * 2 ** 24);
  expect(width / height).toBeCloseTo(2, 3);
});

describe("the score of a map", () => {
  const RULES: readonly Exclude<Scoring["image"], { kind: "cells" }>[] = [
    { kind: "max" },
    { kind: "topShare", share: 0.02 },
    { kind: "topShare", share: 1e-9 },
    { kind: "windowMean", side: 24 },
    { kind: "windowMean", side: 1 },
  ];
  const SIZE = 56;
  const random = rng(7);
  const cells = Float32Array.from({ length: 49 }, () => random() ** 4);
  const parts: Readonly<Record<string, (x: number, y: number) => boolean>> = {
    all: () => true,
    "the left third": (x) => x < SIZE / 3,
    "five pixels": (x, y) => y === 0 && x < 5,
  };

  test.each(Object.keys(parts))("is what the device finds, whatever the rule; of %s", async (part) => {
    const counted =
      part === "all"
        ? null
        : Uint8Array.from({ length: SIZE * SIZE }, (_, i) => (parts[part]!(i % SIZE, Math.floor(i / SIZE)) ? 1 : 0));
    for (const image of RULES) {
      const reads = (): readonly [Promise<Float32Array>, Promise<Float32Array>] => {
        using _scope = device.scope();
        const scores = imageScores(
          { map: fromArray(device, [1, 7, 7], cells) },
          { alignCorners: false, smoothing: { kind: "gaussian", sigma: 4 }, image },
          SIZE,
          counted && fromArray(device, [1, SIZE, SIZE, 1], Float32Array.from(counted)),
        );
        return [toArray(scores.map), toArray(scores.score)];
      };
      const [map, score] = await Promise.all(reads());
      const found = wholeScore({ map, size: { width: SIZE, height: SIZE }, counted, tileSide: SIZE }, image);
      expect(found / score[0]!).toBeCloseTo(1, 5);
    }
  });

  test("of a share is the mean of as many pixels as it is of a tile, however large the map", () => {
    const map = new Float32Array(400 * 300);
    map.set([5, 3, 4], 60_000);
    const photograph = { map, size: { width: 400, height: 300 }, counted: null, tileSide: 10 };
    expect(wholeScore(photograph, { kind: "topShare", share: 0.03 })).toBe(4);
  });

  test("of a window is found wherever the window lies, and in a map that is smaller than it", () => {
    const [width, height] = [31, 17];
    const map = Float32Array.from({ length: width * height }, () => random() ** 8);
    const tileSide = 224;
    const sumAt = (left: number, top: number, side: number): number => {
      let sum = 0;
      for (let y = top; y < top + side; y++) for (let x = left; x < left + side; x++) sum += map[y * width + x]!;
      return sum;
    };
    let largest = 0;
    for (let top = 0; top <= height - 5; top++)
      for (let left = 0; left <= width - 5; left++) largest = Math.max(largest, sumAt(left, top, 5) / 25);
    const photograph = { map, size: { width, height }, counted: null, tileSide };
    expect(wholeScore(photograph, { kind: "windowMean", side: 5 })).toBeCloseTo(largest, 12);
    const mean = map.reduce((sum, value) => sum + value, 0) / map.length;
    expect(wholeScore(photograph, { kind: "windowMean", side: 100 })).toBeCloseTo(mean, 12);
  });
});
