import { describe, expect, test } from "vitest";
import { defectsOf } from "../../src/detection/defects.ts";
import type { AnomalyMap } from "../../src/io/anomaly_map.ts";
import { InputError, OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { placementOf, type Resize } from "../../src/io/placement.ts";
import { RandomStream } from "../../src/tensor/random.ts";

/** A map from rows of digits. */
const mapOf = (...rows: string[]) => mapped(Float32Array.from([...rows.join("")].map(Number)), rows.length);

/** The map of a picture of its own size. */
const mapped = (map: Float32Array, size: number): AnomalyMap => {
  const square = { width: size, height: size };
  return { map, size: square, photograph: square, placement: placementOf("stretch", square, square) };
};

/** The pixels of a run-length code as COCO's tools read it: column by column, outside first. */
function maskOfRuns(runs: readonly number[], width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  let at = 0;
  for (const [i, length] of runs.entries()) {
    for (let k = 0; k < length; k++, at++) mask[(at % height) * width + Math.floor(at / height)] = i % 2;
  }
  expect(at).toBe(width * height);
  return mask;
}

test("pixels above the threshold that touch are one defect, with its box, area and peak", () => {
  const inspection = mapOf("00000", "05600", "00070", "00000", "90003");
  const { mask, defects } = defectsOf(inspection, { threshold: 4 });
  expect([...mask].join("")).toBe("0000001100000100000010000");
  expect(defects.map(({ runs: _runs, ...defect }) => defect)).toEqual([
    { bbox: [1, 1, 3, 2], area: 3, peak: 7 },
    { bbox: [0, 4, 1, 1], area: 1, peak: 9 },
  ]);
});

test("small ones are none with a minimal area, and leave the mask", () => {
  const inspection = mapOf("00000", "05600", "00070", "00000", "90003");
  const { mask, defects } = defectsOf(inspection, { threshold: 4, minArea: 2 });
  expect(defects).toHaveLength(1);
  expect([...mask].join("")).toBe("0000001100000100000000000");
});

test("what does not count is part of none, and may part one in two", () => {
  const counted = Uint8Array.from([1, 0, 1, 1, 0, 1, 1, 0, 0]);
  const { defects } = defectsOf(mapOf("999", "999", "999"), { threshold: 4, counted });
  expect(defects.map(({ bbox, area }) => [bbox, area])).toEqual([
    [[0, 0, 1, 3], 3],
    [[2, 0, 1, 2], 2],
  ]);
});

test.each<[Resize, number, number]>([
  ["stretch", 37, 23],
  ["letterbox", 40, 17],
  ["letterbox", 9, 31],
  ["crop", 50, 21],
  ["crop", 8, 30],
])(
  "resize %s of %i x %i: the mask is that of every pixel's own value, and the runs are the regions",
  (resize, width, height) => {
    const size = 16;
    const placement = placementOf(resize, { width, height }, { width: size, height: size });
    const values = new RandomStream(width, 3).normals(size * size, 1).map(Math.abs);
    const threshold = 1;
    const { mask, defects } = defectsOf(
      { map: values, size: { width: size, height: size }, photograph: { width, height }, placement },
      { threshold },
    );
    // The definition, pixel by pixel, in no hurry.
    const { source, target } = placement;
    const expected = new Uint8Array(width * height);
    for (let y = source.top; y < source.top + source.height; y++) {
      for (let x = source.left; x < source.left + source.width; x++) {
        const along = (pixel: number, from: number, extent: number, to: number, toExtent: number) =>
          Math.min(Math.max(to + ((pixel - from + 0.5) * toExtent) / extent - 0.5, to), to + toExtent - 1);
        const u = along(x, source.left, source.width, target.left, target.width);
        const v = along(y, source.top, source.height, target.top, target.height);
        let value = 0;
        for (let j = target.top; j < target.top + target.height; j++) {
          for (let i = target.left; i < target.left + target.width; i++) {
            value += values[j * size + i]! * Math.max(0, 1 - Math.abs(u - i)) * Math.max(0, 1 - Math.abs(v - j));
          }
        }
        expected[y * width + x] = value > threshold ? 1 : 0;
      }
    }
    expect(mask).toEqual(expected);
    expect(defects.length).toBeGreaterThan(3);
    const union = new Uint8Array(width * height);
    for (const { bbox, area, runs } of defects) {
      const region = maskOfRuns(runs, width, height);
      expect(region.reduce((sum, pixel) => sum + pixel, 0)).toBe(area);
      const xs = [...region.keys()].filter((i) => region[i]).map((i) => i % width);
      const ys = [...region.keys()].filter((i) => region[i]).map((i) => Math.floor(i / width));
      const [left, top] = [Math.min(...xs), Math.min(...ys)];
      expect(bbox).toEqual([left, top, Math.max(...xs) - left + 1, Math.max(...ys) - top + 1]);
      region.forEach((pixel, i) => (union[i]! += pixel));
    }
    expect(union).toEqual(mask);
  },
);

describe("wrong options", () => {
  const inspection = mapOf("00", "00");
  test("are refused", () => {
    expect(() => defectsOf(inspection, { threshold: Number.NaN })).toThrow(OptionError);
    expect(() => defectsOf(inspection, { threshold: 1, minArea: 0 })).toThrow(OptionError);
    expect(() => defectsOf(inspection, { threshold: 1, counted: new Uint8Array(3) })).toThrow(ShapeError);
  });
});

test("a map with what is no number, and a threshold that is none, are refused: neither is without defects", () => {
  for (const wrong of [NaN, Infinity, -Infinity]) {
    const { map } = mapOf("000", "000", "000");
    map[4] = wrong;
    expect(() => defectsOf(mapped(map, 3), { threshold: 1 })).toThrow(
      new InputError(`defectsOf: the anomaly map holds ${wrong} at element 4; it must be finite`),
    );
  }
  for (const threshold of [0, -1, NaN, Infinity]) {
    expect(() => defectsOf(mapOf("000", "000", "000"), { threshold })).toThrow(OptionError);
  }
});
