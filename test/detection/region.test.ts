import { describe, expect, test } from "vitest";
import { PictureRegion, truthWithin } from "../../src/detection/region.ts";
import { placementOf } from "../../src/io/placement.ts";
import { RandomStream } from "../../src/tensor/random.ts";

/** A picture whose pixels are all different: red and green say where each is. */
function picture(width: number, height: number) {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 0], 4 * i);
  return { width, height, data };
}

/** The origin of each shown pixel, as "x,y". */
function originsOf(counted: Uint8Array, width: number, height: number): string[] {
  const { data } = new PictureRegion(counted, { width, height }).shown(picture(width, height));
  return Array.from(counted, (_, i) => `${data[4 * i]},${data[4 * i + 1]}`);
}

test("beyond a straight border is the mirror image; a narrow part is repeated from half as deep", () => {
  expect(originsOf(Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0), 8, 1)).toEqual([
    "0,0",
    "1,0",
    "2,0",
    "3,0",
    "2,0",
    "1,0",
    "0,0",
    "1,0",
  ]);
  expect(originsOf(Uint8Array.of(0, 0, 1, 0), 1, 4)).toEqual(["0,2", "0,2", "0,2", "0,2"]);
});

test("whatever the part's shape, every pixel is its own or one that counts, in line with the nearest", () => {
  const [width, height] = [23, 17];
  for (const share of [0.02, 0.3, 0.97]) {
    const random = new RandomStream(5, 100 * share);
    const counted = Uint8Array.from({ length: width * height }, () => (random.unit() < share ? 1 : 0));
    const inside = [...counted.keys()]
      .filter((i) => counted[i])
      .map((i) => [i % width, Math.floor(i / width)] as const);
    expect(inside.length).toBeGreaterThan(0);
    originsOf(counted, width, height).forEach((origin, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      const [u, v] = origin.split(",").map(Number) as [number, number];
      expect(counted[v * width + u]).toBe(1);
      const distance = Math.min(...inside.map(([a, b]) => Math.hypot(a - x, b - y)));
      if (counted[i]) expect([u, v]).toEqual([x, y]);
      // Between the nearest pixel and its mirror image: at most twice as far.
      else expect(Math.hypot(u - x, v - y)).toBeLessThanOrEqual(2 * distance + 1e-9);
      expect(Math.hypot(u - x, v - y)).toBeGreaterThanOrEqual(distance - 1e-9);
    });
  }
});

test("the picture itself stays as it is, and one at an odd place in memory is read right", () => {
  const { data, ...size } = picture(4, 4);
  const odd = new Uint8Array(data.length + 1).subarray(1);
  odd.set(data);
  const region = new PictureRegion(
    Uint8Array.from({ length: 16 }, (_, i) => (i < 8 ? 1 : 0)),
    size,
  );
  expect(region.shown({ ...size, data: odd })).toEqual(region.shown({ ...size, data }));
  expect(odd).toEqual(data);
});

test("what counts in a map is what counts in the picture at the same place, and nothing beyond the picture", () => {
  const size = { width: 8, height: 4 };
  const region = new PictureRegion(
    new Uint8Array(32).map((_, i) => (i % 8 < 4 ? 1 : 0)),
    size,
  ); // the left half
  const inMap = region.inMap(placementOf("letterbox", size, { width: 4, height: 4 }), { width: 4, height: 4 });
  expect([...inMap]).toEqual([0, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
});

test("what is marked outside is no defect, and an image with nothing else marked is good; one without masks keeps its label", () => {
  const counted = Uint8Array.of(1, 1, 0, 0);
  expect(truthWithin({ defective: true, mask: Uint8Array.of(0, 1, 1, 0) }, counted)).toEqual({
    defective: true,
    mask: Uint8Array.of(0, 1, 0, 0),
    counted,
  });
  expect(truthWithin({ defective: true, mask: Uint8Array.of(0, 0, 1, 1) }, counted)).toEqual({
    defective: false,
    mask: new Uint8Array(4),
    counted,
  });
  expect(truthWithin({ defective: true, mask: new Uint8Array(4) }, counted)).toEqual({
    defective: true,
    mask: new Uint8Array(4),
    counted,
  });
  expect(truthWithin({ defective: true, mask: null }, counted)).toEqual({ defective: true, mask: null, counted });
  expect(truthWithin({ defective: true, mask: Uint8Array.of(0, 0, 1, 1) }, null).mask).toEqual(
    Uint8Array.of(0, 0, 1, 1),
  );
});

describe("wrong sizes and empty parts", () => {
  test("are refused", () => {
    expect(() => new PictureRegion(new Uint8Array(4), { width: 2, height: 2 })).toThrow(
      "expected 2 x 2 values, 1 for each pixel of the region and at least one of them, got 4 values without any 1",
    );
    expect(() => new PictureRegion(Uint8Array.of(1, 1), { width: 2, height: 2 })).toThrow("got 2 values");
    expect(() => new PictureRegion(Uint8Array.of(1), { width: 1, height: 1 }).shown(picture(2, 1))).toThrow(
      "expected a picture of 1 x 1 pixels, the size of its region, got 2 x 1",
    );
  });
});
