import { expect, test } from "vitest";
import { createBackbone } from "../../src/backbones/registry.ts";
import { fromArray, toArray, type Tensor } from "../../src/tensor/tensor.ts";
import { rng } from "../harness/bounds.ts";
import { device } from "../harness/device.ts";
import { embeddedFeatures } from "../reference/embedded.ts";

const SIZE = 64;
const backbone = await createBackbone(device, "embedded", { inputSize: SIZE });
const [{ stride, channels }] = backbone.stages as [(typeof backbone.stages)[number]];
const featuresOf = (images: Tensor): Tensor => backbone.features(images)[0]!;

/** Mean of each channel over the inner cells of a picture given by its colours. */
async function responseTo(colour: (x: number, y: number) => readonly [number, number, number]): Promise<number[]> {
  const values = Float32Array.from(
    { length: 3 * SIZE * SIZE },
    (_, i) => colour(Math.floor(i / 3) % SIZE, Math.floor(i / 3 / SIZE))[i % 3]!,
  );
  const features = featuresOf(fromArray(device, [1, SIZE, SIZE, 3], values));
  expect(features.shape).toEqual([1, SIZE / stride, SIZE / stride, channels]);
  const map = await toArray(features);
  const inner = [27, 28, 35, 36]; // the middle of 8 x 8 cells
  return Array.from(
    { length: channels },
    (_, c) => inner.reduce((sum, cell) => sum + map[cell * channels + c]!, 0) / inner.length,
  );
}

test("features are those of the definition", async () => {
  const random = rng(5);
  const pixels = Float32Array.from({ length: 3 * SIZE * SIZE }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % SIZE, Math.floor(i / 3 / SIZE)];
    // some as dark as can be
    return Math.max(-1, 0.5 * Math.sin(x / 5) * Math.cos(y / (7 + (i % 3))) - 0.4 + 0.9 * (random() - 0.5));
  });
  const got = await toArray(featuresOf(fromArray(device, [1, SIZE, SIZE, 3], pixels)));
  const want = embeddedFeatures(SIZE, pixels);
  expect(got.length).toBe(want.length);
  const errors = want.map((value, i) => Math.abs(got[i]! - value) / (1 + Math.abs(value)));
  expect(Math.max(...errors)).toBeLessThan(1e-5);
});

test("more light changes mean colours alone", async () => {
  const under = (light: number) =>
    responseTo((x, y) => {
      // of 0.1, which stands for what is dark
      const shade = light * (0.3 + 0.1 * Math.sin(x / 3) * Math.cos(y / 4)) - 0.1;
      return [2 * shade - 1, 2 * shade - 1, 2 * shade - 1];
    });
  const [dim, bright] = [await under(1), await under(2)];
  dim.forEach((value, c) => expect(bright[c]).toBeCloseTo(c === 34 ? value + Math.log(2) : value, 4));
});

test("a flat picture has energy nowhere, only mean colours", async () => {
  const response = await responseTo(() => [0.3, 0.3, 0.3]);
  const finest = response.slice(0, 10); // four orientations and six contrasts of the finest scale, away from the border
  for (const energy of finest) expect(energy).toBeLessThan(1e-6);
  // the mean luminance: the logarithm of 0.65 and 0.1, over that of grey
  expect(response[34]).toBeCloseTo(Math.log(0.75 / 0.6), 5);
});

test("a grating excites its own orientation most", async () => {
  const stripes = (x: number) => Math.cos((2 * Math.PI * x) / 4);
  const upright = await responseTo((x) => [stripes(x), stripes(x), stripes(x)]);
  const lying = await responseTo((_x, y) => [stripes(y), stripes(y), stripes(y)]);
  const strongest = (response: number[]) => response.slice(0, 4).indexOf(Math.max(...response.slice(0, 4)));
  expect(strongest(upright)).toBe(0);
  expect(strongest(lying)).toBe(2);
});

test("a bright and a dark dot differ, and so do a red and a green one", async () => {
  const dot = (rgb: readonly [number, number, number]) =>
    responseTo((x, y) => (x % 8 === 4 && y % 8 === 4 ? rgb : [0, 0, 0]));
  const [bright, dark, red, green] = [
    await dot([1, 1, 1]),
    await dot([-1, -1, -1]),
    await dot([1, 0, 0]),
    await dot([0, 1, 0]),
  ];
  expect(bright[4]! > bright[5]!).toBe(true);
  expect(dark[5]! > dark[4]!).toBe(true);
  expect(red[6]! > red[7]!).toBe(true);
  expect(green[7]! > green[6]!).toBe(true);
});

test("sizes and names that it does not take are refused", async () => {
  await expect(createBackbone(device, "embedded", { inputSize: 100 })).rejects.toThrow(
    "a side that is a multiple of 8 and at least 64, got 100",
  );
  await expect(createBackbone(device, "resnet" as "embedded", { inputSize: 64 })).rejects.toThrow(
    "expected backbone to be one of embedded, efficientnet-b0",
  );
  await expect(createBackbone(device, "efficientnet-b0", { inputSize: 64 })).rejects.toThrow(
    "efficientnet-b0 needs its weights",
  );
});
