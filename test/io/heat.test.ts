import { describe, expect, test } from "vitest";
import { heatColour, heatLayer, paintHeat, shownPart, type HeatMap } from "../../src/io/heat.ts";
import type { DecodedImage } from "../../src/io/image.ts";
import { placementOf, type Resize } from "../../src/io/placement.ts";
import { InputError, OptionError, ShapeError } from "../../src/runtime/errors.ts";
import { RandomStream } from "../../src/tensor/random.ts";

const SIZE = 16;

/** Random numbers in (0, 1). */
function uniforms(seed: number, count: number): number[] {
  const stream = new RandomStream(seed, 1);
  return Array.from({ length: count }, () => stream.unit());
}

/** A photograph of noise. */
function photograph(width: number, height: number): DecodedImage {
  const noise = uniforms(width, 4 * width * height);
  return { width, height, data: Uint8Array.from(noise, (value, i) => (i % 4 === 3 ? 255 : 256 * value)) };
}

/** The inspection of a photograph of a size whose map is made by `valueAt`, in units of the strongest heat. */
function inspectionOf(
  resize: Resize,
  width: number,
  height: number,
  valueAt: (x: number, y: number) => number,
): HeatMap {
  const placement = placementOf(resize, { width, height }, { width: SIZE, height: SIZE });
  const map = Float32Array.from({ length: SIZE * SIZE }, (_, i) => 8 * valueAt(i % SIZE, Math.floor(i / SIZE)));
  return { map, size: { width: SIZE, height: SIZE }, photograph: { width, height }, placement, heat: [1, 8] };
}

/** `paintHeat` by its definition: colours times alpha and alpha are enlarged bilinearly, then laid over the pixel. */
function definition(image: DecodedImage, inspection: HeatMap, opacity: number): number[] {
  const { placement, map, heat } = inspection;
  const { source, target } = placement;
  const layer = (u: number, v: number): number[] => {
    const value = Math.max(map[(target.top + v) * SIZE + target.left + u]!, heat[0]);
    const [red, green, blue, alpha] = heatColour(Math.log(value / heat[0]) / Math.log(heat[1] / heat[0]));
    const share = (opacity * alpha) / 255;
    return [red * share, green * share, blue * share, share];
  };
  const along = (at: number, extent: number, inspected: number, from: number, covered: number, cells: number) => {
    const pixel = ((at + 0.5) * inspected) / extent;
    if (pixel < from || pixel >= from + covered) return null;
    const position = Math.min(Math.max(((pixel - from) * cells) / covered - 0.5, 0), cells - 1);
    const first = Math.floor(position);
    return [first, Math.min(first + 1, cells - 1), position - first] as const;
  };
  return Array.from(image.data, (value, i) => {
    const [channel, pixel] = [i % 4, Math.floor(i / 4)];
    if (channel === 3) return value;
    const [x, y] = [pixel % image.width, Math.floor(pixel / image.width)];
    const across = along(x, image.width, inspection.photograph.width, source.left, source.width, target.width);
    const down = along(y, image.height, inspection.photograph.height, source.top, source.height, target.height);
    if (!across || !down) return value;
    const mixed = (c: number): number => {
      const row = (v: number) => layer(across[0], v)[c]! * (1 - across[2]) + layer(across[1], v)[c]! * across[2];
      return row(down[0]) * (1 - down[2]) + row(down[1]) * down[2];
    };
    return value * (1 - mixed(3)) + mixed(channel);
  });
}

describe("paintHeat", () => {
  test.each<[Resize, number, number, number, number]>([
    ["stretch", 37, 23, 37, 23],
    ["letterbox", 40, 17, 40, 17],
    ["letterbox", 9, 31, 9, 31],
    ["crop", 50, 21, 50, 21],
    ["crop", 50, 21, 25, 11],
    ["stretch", 16, 16, 40, 24],
  ])("%s of %i x %i, painted on %i x %i, is its definition", (resize, width, height, shownWidth, shownHeight) => {
    const values = uniforms(5, SIZE * SIZE);
    const inspection = inspectionOf(resize, width, height, (x, y) => (y < 6 ? 0 : 1.3 * values[y * SIZE + x]!));
    const image = photograph(shownWidth, shownHeight);
    const before = Uint8Array.from(image.data);
    for (const opacity of [1, 0.4]) {
      const painted = paintHeat(image, inspection, { opacity });
      expect([painted.width, painted.height]).toEqual([shownWidth, shownHeight]);
      const expected = definition(image, inspection, opacity);
      // the layer's table of colours has 1,024 steps
      const largest = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - painted.data[i]!)), 0);
      expect(largest).toBeLessThan(2);
      expect(painted.data).not.toEqual(before);
    }
    expect(image.data).toEqual(before);
  });

  test("paints nothing where nothing looks wrong, and nothing at no opacity", () => {
    const image = photograph(20, 30);
    expect(
      paintHeat(
        image,
        inspectionOf("stretch", 20, 30, () => 0),
      ),
    ).toEqual(image);
    expect(
      paintHeat(
        image,
        inspectionOf("stretch", 20, 30, () => 1),
        { opacity: 0 },
      ),
    ).toEqual(image);
    expect(
      paintHeat(
        image,
        inspectionOf("stretch", 20, 30, () => 1),
      ),
    ).not.toEqual(image);
  });

  test("refuses an image or a map of other sizes, NaN, and an opacity that is none", () => {
    const inspection = inspectionOf("stretch", 20, 30, () => 1);
    const image = photograph(20, 30);
    expect(() => paintHeat({ ...image, width: 21 }, inspection)).toThrow(ShapeError);
    expect(() => paintHeat(image, { ...inspection, map: inspection.map.subarray(1) })).toThrow(ShapeError);
    expect(() =>
      paintHeat(
        image,
        inspectionOf("stretch", 20, 30, () => NaN),
      ),
    ).toThrow(InputError);
    for (const opacity of [-0.1, 1.1, NaN])
      expect(() => paintHeat(image, inspection, { opacity })).toThrow(OptionError);
  });
});

test("a layer is of the part of the map that shows the photograph", () => {
  const inspection = inspectionOf("letterbox", 32, 16, (x, y) => (y >= 4 && y < 12 ? x / SIZE : 1));
  const { width, height, data } = heatLayer(inspection);
  expect([width, height, data.length]).toEqual([16, 8, 4 * 16 * 8]);
  expect(shownPart(inspection)).toEqual(inspection.map.slice(4 * SIZE, 12 * SIZE));
  expect(data[3]).toBe(0); // the bar above, which is hot, is no part of it
});
