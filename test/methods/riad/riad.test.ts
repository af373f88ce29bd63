// RIAD's own promises: squares that cover every pixel once, losses at their ends, what it says and refuses.
import { describe, expect, test } from "vitest";
import { synthesise } from "../../../src/data/synthetic.ts";
import type { TrainingImage } from "../../../src/detection/views.ts";
import { estimateMemory, planMemoryModel } from "../../../src/detection/memory_estimate.ts";
import { trainDetector } from "../../../src/detection/train_detector.ts";
import { Training } from "../../../src/detection/training.ts";
import { cropped, drawnPasses, gridShape, hiddenPixels, PASSES } from "../../../src/methods/riad/cells.ts";
import { readConfig, riadConfig, seenExtents } from "../../../src/methods/riad/config.ts";
import { riad } from "../../../src/methods/riad/method.ts";
import type { RiadOptions } from "../../../src/methods/riad/options.ts";
import { RiadModel } from "../../../src/methods/riad/model.ts";
import { gradientDeviations, gradientLoss, gradientMap, structuralLoss } from "../../../src/methods/riad/similarity.ts";
import { Weights } from "../../../src/nn/weights.ts";
import { RandomStream } from "../../../src/tensor/random.ts";
import { fromArray, toArray, type Tensor } from "../../../src/tensor/tensor.ts";
import { device } from "../../harness/device.ts";
import { hashed } from "../../harness/summaries.ts";
import { expectSameScores } from "../../onnx/onnxruntime.ts";

const SIZE = 64;
const [scene] = synthesise({ size: SIZE, train: 4, good: 0, defective: 0, seed: 3 }) as [
  ReturnType<typeof synthesise>[number],
];

async function* good(): AsyncGenerator<TrainingImage> {
  for (const { rgba } of scene.train) yield { className: "weave", image: { width: SIZE, height: SIZE, data: rgba } };
}

const scalarOf = async (tensor: Tensor): Promise<number> => (await toArray(tensor))[0]!;

describe("the passes hide every pixel once, in whole squares", () => {
  test.each([
    ["squares that fit", 2, 16, 32],
    ["squares that reach beyond the image", 16, 24, 40],
    ["squares of one pixel", 1, 9, 11],
    ["one square for all", 64, 24, 40],
  ])("%s", async (_why, cellSize, height, width) => {
    using _scope = device.scope({ awaits: true });
    const shape = gridShape({ height, width }, cellSize);
    const [, rows, columns] = shape as [number, number, number, number];
    expect([rows * cellSize >= height, (rows - 1) * cellSize < height]).toEqual([true, true]);
    const drawn = drawnPasses(rows * columns, new RandomStream(5, 1));
    const sizes = [0, 1, 2].map((pass) => drawn.filter((own) => own === pass).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    const masks = hiddenPixels(fromArray(device, shape, drawn), cellSize, { height, width });
    expect(masks.map((mask) => mask.shape)).toEqual(Array(PASSES).fill([1, height, width, 1]));
    const read = await Promise.all(masks.map((mask) => toArray(mask)));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const pass = drawn[Math.floor(y / cellSize) * columns + Math.floor(x / cellSize)]!;
        expect(read.map((mask) => mask[y * width + x])).toEqual([0, 1, 2].map((nth) => Number(nth === pass)));
      }
    }
  });
});

describe("the similarities", () => {
  test("of equal images are complete, and of others lie between 0 and 1", async () => {
    using _scope = device.scope({ awaits: true });
    const [one, other] = [hashed([2, 16, 24, 3], 1), hashed([2, 16, 24, 3], 2)];
    for (const loss of [gradientLoss, structuralLoss]) {
      expect(Math.abs(await scalarOf(loss(one, one)))).toBeLessThan(1e-6);
      expect(await scalarOf(loss(one, other))).toBeGreaterThan(0.1);
      expect(await scalarOf(loss(one, other))).toBe(await scalarOf(loss(one, other)));
    }
    expect((await toArray(gradientMap(one, one))).every((value) => value === 0)).toBe(true);
    for (const value of await toArray(gradientMap(one, other))) expect(value >= 0 && value <= 1).toBe(true);
  });

  test("of gradients see slopes, not light, at four scales", async () => {
    using _scope = device.scope({ awaits: true });
    const image = hashed([1, 16, 16, 1], 1, (u) => 0.5 * u);
    const brighter = hashed([1, 16, 16, 1], 1, (u) => 0.5 * u + 0.25);
    expect(await scalarOf(gradientLoss(image, brighter))).toBeLessThan(1e-9);
    const deviations = gradientDeviations(image, hashed([1, 16, 16, 1], 2));
    expect(deviations.map(({ shape }) => shape[1])).toEqual([16, 8, 4, 2]);
    // an edge of height 1 has a slope of 1 on either side of it: Prewitt compares columns two apart
    const edge = fromArray(
      device,
      [1, 8, 8, 1],
      Float32Array.from({ length: 64 }, (_, i) => Number(i % 8 >= 4)),
    );
    const flat = fromArray(device, [1, 8, 8, 1], new Float32Array(64));
    const row = [...(await toArray(gradientDeviations(edge, flat)[0]!))].slice(0, 8);
    row.forEach((value, x) =>
      expect(Math.abs(value - (x === 3 || x === 4 ? (1 - 1e-4) ** 2 / (1 + 0.0026) : 0))).toBeLessThan(1e-6),
    );
  });
});

test("an image that the network paints as it is scores 0, and another does not", async () => {
  using _scope = device.scope({ awaits: true });
  const config = riadConfig({ height: 16, width: 16, channels: 3 }, { baseWidth: 1 });
  const model = new RiadModel(Weights.blank(device), config, 3); // which paints grey
  const grey = fromArray(device, [1, 16, 16, 3], new Float32Array(768));
  expect((await toArray(model.score(grey).map)).every((value) => value === 0)).toBe(true);
  const { map } = model.score(hashed([1, 16, 16, 3], 4));
  expect(map.shape).toEqual([1, 16, 16]);
  expect(Math.max(...(await toArray(map)))).toBeGreaterThan(0.1);
  model.weights.release();
});

test("models of one seed hide the same squares, and of another seed others", async () => {
  const config = riadConfig({ height: 32, width: 32, channels: 3 }, { baseWidth: 1 });
  const passes = async (seed: number) => {
    const { weights } = new RiadModel(Weights.drawn(device), config, seed);
    const read = await toArray(weights.states.get("passes.4")!);
    weights.release();
    return read;
  };
  expect(await passes(1)).toEqual(await passes(1));
  expect(await passes(1)).not.toEqual(await passes(2));
});

test("crops to the upper left", async () => {
  using _scope = device.scope({ awaits: true });
  const image = fromArray(
    device,
    [1, 3, 4, 1],
    Float32Array.from({ length: 12 }, (_, i) => i),
  );
  expect([...(await toArray(cropped(image, 2, 3)))]).toEqual([0, 1, 2, 4, 5, 6]);
  expect(cropped(image, 3, 4)).toBe(image);
});

test.each([
  [6, 6, 8, [6, 6], 1],
  [16, 16, 8, [8, 8], 2],
  [25, 9, 8, [7, 3], 4],
])("images of %i x %i pixels are seen at a side of at most %i", (height, width, side, extents, factor) => {
  const seen = seenExtents({ height, width, side });
  expect([[seen.height, seen.width], seen.factor]).toEqual([extents, factor]);
});

test("the network sees means of squares, and the map has their extents", async () => {
  using _scope = device.scope({ awaits: true });
  const config = riadConfig({ height: 32, width: 32, channels: 3 }, { baseWidth: 1, side: 16 });
  const model = new RiadModel(Weights.blank(device), config, 3);
  const images = hashed([1, 32, 32, 3], 4);
  const [all, seen] = [await toArray(images), await toArray(model.reduce(images))];
  expect(seen).toHaveLength(16 * 16 * 3);
  const own = (y: number, x: number): number => all[(y * 32 + x) * 3]!;
  const mean = (own(4, 6) + own(4, 7) + own(5, 6) + own(5, 7)) / 4;
  expect(Math.abs(seen[(2 * 16 + 3) * 3]! - mean)).toBeLessThan(1e-6);
  expect(model.score(images).map.shape).toEqual([1, 16, 16]);
  model.weights.release();
});

describe("what it is told", () => {
  const spec = { height: 32, width: 32, channels: 3 };

  test("is within range", () => {
    expect(() => riadConfig(spec, { cellSizes: [2, 4, 8, 2.5] })).toThrow(
      "riad: expected cellSizes to be whole numbers, got 2,4,8,2.5",
    );
    expect(() => riadConfig({ ...spec, width: 7 })).toThrow(
      "riad: expected images of at least 8 pixels to a side, got 32 x 7",
    );
    expect(() => riadConfig({ ...spec, height: 1024 })).toThrow(
      "riad: expected images of at least 8 pixels to a side, got 64 x 2, 1024 x 32 reduced to a side of 64; take a larger side",
    );
    expect(() => readConfig({ ...riadConfig(spec), cellSizes: [0, 1, 2, 4] })).toThrow(
      "riad: expected cellSizes to be 4 numbers",
    );
  });

  test("is remarked on where it is less than what is published", () => {
    const remarks = (side: number, options: RiadOptions) =>
      riad.remarks(riadConfig({ height: side, width: side, channels: 3 }, options));
    expect(remarks(256, { network: "published" })).toEqual([]);
    expect(remarks(224, {})[0]).toContain("RIAD has 8 channels at 56 x 56 pixels here, for software adapters");
    expect(remarks(224, { network: "published" })).toHaveLength(1);
    expect(remarks(256, { network: "published", baseWidth: 32 })).toHaveLength(1);
  });

  test("about a backbone is refused, as it sees pixels", async () => {
    await expect(
      Training.begin(device, good(), { method: "riad", inputSize: SIZE, stages: ["filters"] }),
    ).rejects.toThrow("riad sees pixels, not embedded features: choose no backbone or stages");
    const model = await planMemoryModel(device, { method: "riad", inputSize: SIZE, options: { baseWidth: 1 } });
    const { backbone, training } = await estimateMemory(device, model, {});
    expect([backbone, training.featureBytes]).toEqual([null, SIZE * SIZE * 3 * 4]);
  });
});

test.each([
  ["that the network does not take unpadded", 72, 128],
  ["of which means of 3 x 3 are seen, once it is resized to three times a whole number", 64, 30],
])("has the same scores as an ONNX model at a size %s", async (_words, size, side) => {
  const [own] = synthesise({ size, train: 2, good: 1, defective: 1, seed: 5 }) as [
    ReturnType<typeof synthesise>[number],
  ];
  const pictureOf = ({ rgba }: { readonly rgba: Uint8Array }) => ({ width: size, height: size, data: rgba });
  async function* pictures(): AsyncGenerator<TrainingImage> {
    for (const image of own.train) yield { className: "weave", image: pictureOf(image) };
  }
  const options = { method: "riad", inputSize: size, folds: 0, side, baseWidth: 2, epochs: 1, leastSteps: 2 } as const;
  const detector = await trainDetector(device, pictures(), options);
  await expectSameScores(detector, own.test.map(pictureOf));
  detector.release();
});

test("sees the photographs from -1 to 1, and learns to paint them", async () => {
  const training = await Training.begin(device, good(), {
    method: "riad",
    inputSize: SIZE,
    folds: 0,
    cellSizes: [4, 4, 4, 4], // so that steps compare
    ...{ baseWidth: 2, batch: 4, epochs: 40, leastSteps: 1, learningRate: 4e-3 },
  });
  expect(training.remarks).toHaveLength(1);
  const losses: number[] = [];
  for await (const { loss } of training.fit()) if (loss !== null) losses.push(loss);
  expect(losses).toHaveLength(4);
  expect(losses.at(-1)!).toBeLessThan(0.9 * losses[0]!);
  const detector = await training.finish();
  expect(detector.config.assembly).toEqual({ pixels: true });
  expect([detector.preprocessing.mean, detector.preprocessing.std]).toEqual([Array(3).fill(0.5), Array(3).fill(0.5)]);
  expect(detector.summary.map(([label]) => label).slice(0, 2)).toEqual(["Network", "Hidden"]);
  detector.release();
});
