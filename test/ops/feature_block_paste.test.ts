import { describe, expect, test } from "vitest";
import { drawFeatureBlocks } from "../../src/kernels/feature_block_paste.ts";
import { featureBlockPaste, PUBLISHED_BLOCKS, type FeatureBlockOptions } from "../../src/ops/feature_block_paste.ts";
import { empty, fromArray, toArray, zeros, type Tensor } from "../../src/tensor/tensor.ts";
import { describeOperation } from "../harness/describe_operation.ts";
import { device } from "../harness/device.ts";
import { poison } from "../harness/operation.ts";
import { featureBlockPasteOperations } from "../operations/feature_block_paste.ts";
import * as reference from "../reference/feature_block_paste.ts";

featureBlockPasteOperations.forEach(describeOperation);

const DRAW = { seed: 77, stream: 4, step: 9 };
const SIDE = 28;
const marksOf = async (batch: number, options: Partial<FeatureBlockOptions>, draw = DRAW) =>
  toArray(drawFeatureBlocks(device, [batch, SIDE, SIDE], draw, { ...PUBLISHED_BLOCKS, ...options }).mask);

describe("masks are exactly the reference's", () => {
  const [height, width, batch] = [23, 28, 24];
  test.each<readonly [string, Partial<FeatureBlockOptions>]>([
    ["as published", {}],
    ["after the paper's walk", { walk: "paper", steps: 50 }],
    ["of three blocks", { count: 3, maxHalfSide: 4 }],
    ["of one draw a batch", { per: "batch" }],
    ["in a region", { region: [0.5, 0.25, 0.75, 0.5] }],
    ["of one cell", { maxHalfSide: 0.5 }],
  ])("%s", async (_what, options) => {
    const all = { ...PUBLISHED_BLOCKS, ...options };
    poison();
    const { mask, weights } = drawFeatureBlocks(device, [batch, height, width], DRAW, all);
    const p = { ...all, ...DRAW, batch, height, width, channels: 1, std: null };
    expect(await toArray(mask)).toEqual(reference.maskOf(p));
    const got = await toArray(weights);
    reference.blocksOf(p).forEach((blocks, n) =>
      blocks.forEach(({ half, centre: { x, y }, cells, intensity }, k) => {
        expect(x - half >= 0 && x + half < width && y - half >= 0 && y + half < height).toBe(true);
        for (let i = 0; i < height * width; i++) {
          expect(
            Math.abs(got[(n * height * width + i) * all.count + k]! - (cells.has(i) ? intensity : 0)),
          ).toBeLessThan(1e-5);
        }
      }),
    );
  });
});

describe("draws have the statistics that they should:", () => {
  const many = Array.from({ length: 400 }, (_, n) => n);
  const blocks = (options: Partial<FeatureBlockOptions>) => {
    const p = {
      ...PUBLISHED_BLOCKS,
      ...options,
      ...DRAW,
      batch: 400,
      height: SIDE,
      width: SIDE,
      channels: 1,
      std: null,
    };
    return many.map((n) => reference.blockOf(p, n, 0));
  };
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

  test("the published walk marks 3.2 % of 28 x 28 cells in the mean", async () => {
    const marks = await marksOf(4000, {});
    expect(Math.abs(marks.reduce((sum, x) => sum + x, 0) / marks.length - 0.032)).toBeLessThan(0.001);
  });

  test("half sides are evenly from 0 to 9, but for half as many zeros; intensities from 8 to 16; centres even over where they fit", () => {
    const drawn = blocks({});
    const shares = Array.from(
      { length: 10 },
      (_, half) => drawn.filter((block) => block.half === half).length / drawn.length,
    );
    shares.forEach((share, half) => expect(Math.abs(share - (half === 0 ? 0.5 : 1) / 9.5)).toBeLessThan(0.06));
    expect(Math.abs(mean(drawn.map(({ intensity }) => intensity)) - 12)).toBeLessThan(0.5);
    expect(Math.abs(mean(drawn.map(({ centre }) => centre.x)) - 13.5)).toBeLessThan(1.5);
  });

  test("the paper's walk takes from B to 2 B steps", () => {
    const steps = blocks({ walk: "paper", steps: 40 }).map((block) => block.steps);
    expect([Math.min(...steps), Math.max(...steps)]).toEqual([40, 80]);
    expect(Math.abs(mean(steps) - 60)).toBeLessThan(2.5);
  });

  test("half the signs are negative, and normal numbers are normal", () => {
    const drawn = blocks({});
    expect(Math.abs(mean(drawn.map(({ sign }) => sign)))).toBeLessThan(0.2);
    expect(Math.abs(mean(drawn.flatMap(({ coin }) => [0, 31, 32, 127, 128].map(coin))))).toBeLessThan(0.1);
    const normals = drawn.flatMap(({ normal }) => [0, 1, 2, 3, 4, 5].map(normal));
    expect(Math.abs(mean(normals))).toBeLessThan(0.1);
    expect(Math.abs(mean(normals.map((z) => z * z)) - 1)).toBeLessThan(0.15);
    expect(Math.abs(mean(drawn.map(({ share }) => share)) - 0.5)).toBeLessThan(0.06);
  });
});

test("draws are the same for the same draw, and others for another seed, stream, step or image", async () => {
  const first = await marksOf(2, {});
  expect(await marksOf(2, {})).toEqual(first);
  for (const other of [{ seed: 4 }, { stream: 2 }, { step: 6 }])
    expect(await marksOf(2, {}, { ...DRAW, ...other })).not.toEqual(first);
  expect(first.slice(0, SIDE * SIDE)).not.toEqual(first.slice(SIDE * SIDE));
});

test("each direction moves marked cells alone, its own way", async () => {
  const [batch, channels] = [3, 6];
  const clean = Float32Array.from({ length: batch * SIDE * SIDE * channels }, (_, i) => ((i * 7919) % 101) / 8);
  const features = fromArray(device, [batch, SIDE, SIDE, channels], clean);
  const movedBy = async (options: Partial<FeatureBlockOptions>, std: Tensor | null = null) => {
    const pasted = featureBlockPaste(features, DRAW, { blurRadius: 0, intensity: [2, 2], ...options, std });
    const [values, mask] = await Promise.all([toArray(pasted.features), toArray(pasted.mask)]);
    const rows = Array.from(mask, (marked, cell) => ({
      marked: marked === 1,
      by: values.slice(cell * channels, (cell + 1) * channels).map((x, c) => x - clean[cell * channels + c]!),
    }));
    expect(rows.every(({ marked, by }) => marked || by.every((x) => x === 0))).toBe(true);
    const moved = rows.filter(({ marked }) => marked).map(({ by }) => by);
    expect(moved.length).toBeGreaterThan(10);
    return moved;
  };
  expect((await movedBy({})).every((by) => by.every((x) => x === 2))).toBe(true);
  const turned = await movedBy({ signs: "block", count: 3, steps: 20 });
  expect(turned.every((by) => by.every((x) => x === by[0]) && [0, 2, 4, 6].includes(Math.abs(by[0]!)))).toBe(true);
  expect(turned.some(([x]) => x! < 0) && turned.some(([x]) => x! > 0)).toBe(true);
  const std = fromArray(device, [channels], Float32Array.of(0, 1, 2, 3, 4, 5));
  for (const how of [{ direction: "random", shared: [1, 1] }, { signs: "channel" }] as const) {
    const alike = await movedBy({ ...how, per: "batch" }, std);
    alike.forEach((by) => by.forEach((x, c) => expect(Math.abs(x - alike[0]![c]!)).toBeLessThan(1e-4)));
    expect(alike[0]!.some((x) => x > 0) && alike[0]!.some((x) => x < 0)).toBe(true);
  }
  // like its channel's deviation
  expect((await movedBy({ direction: "random" }, std)).every(([x]) => x === 0)).toBe(true);
  for (const how of [{ direction: "random" }, { signs: "cell" }] as const) {
    const moved = await movedBy({ ...how, per: "batch" });
    expect(moved.some((by) => by.some((x, c) => x !== moved[0]![c]!))).toBe(true);
  }
});

describe("differences", () => {
  test("at intensity 1 take real features' place, from where the source says", async () => {
    const [batch, channels] = [3, 2];
    // A feature encodes its origin.
    const features = fromArray(
      device,
      [batch, SIDE, SIDE, channels],
      Float32Array.from({ length: batch * SIDE * SIDE * channels }, (_, i) => i),
    );
    for (const source of ["images", "places"] as const) {
      const pasted = featureBlockPaste(features, DRAW, {
        direction: "differences",
        source,
        intensity: [1, 1],
        blurRadius: 0,
      });
      const [values, mask] = await Promise.all([toArray(pasted.features), toArray(pasted.mask)]);
      const from = new Set<boolean>();
      mask.forEach((marked, cell) => {
        const there = Math.round(values[cell * channels]! / channels);
        if (marked) from.add(Math.floor(there / SIDE / SIDE) === Math.floor(cell / SIDE / SIDE));
        else expect(there).toBe(cell);
        expect(Math.abs(values[cell * channels + 1]! - values[cell * channels]! - 1)).toBeLessThan(1e-2);
      });
      expect([...from]).toEqual([source === "places"]);
    }
  });
});

describe("feature block paste refuses", () => {
  const features = empty(device, [1, SIDE, SIDE, 4]);
  test.each<readonly [string, object, string]>([
    ["an intensity from high to low", { intensity: [16, 8] }, "expected a finite intensity [low, high], got [16,8]"],
    ["half a step", { steps: 1.5 }, "expected steps to be whole numbers of at least 0, got 1.5"],
    ["no blocks", { count: 0 }, "expected count to be whole numbers of at least 1, got 0"],
    ["another walk", { walk: "run" }, "expected walk to be code or paper, got run"],
    ["another draw", { per: "cell" }, "expected per to be image or batch, got cell"],
    ["another direction", { direction: "up" }, "expected direction to be equal, random or differences, got up"],
    ["more than all shared", { shared: [0, 1.5] }, "expected shared [low, high] from 0 to 1, got [0,1.5]"],
    ["other signs", { signs: "all" }, "expected signs to be none, block, channel or cell, got all"],
    ["another source", { source: "noise" }, "expected source to be images or places, got noise"],
    [
      "a region outside",
      { region: [0, 0, 1.5, 1] },
      "expected a region [left, top, right, bottom] of shares from 0 to 1, left < right and top < bottom, got [0,0,1.5,1]",
    ],
    ["an empty region", { region: [0.5, 0, 0.5, 1] }, "got [0.5,0,0.5,1]"],
    ["no width of the blur", { blurSigma: 0 }, "expected a finite blurSigma above 0, got 0"],
    ["half a cell of blur", { blurRadius: 0.5 }, "expected blurRadius to be whole numbers of at least 0, got 0.5"],
    [
      "a block larger than the map",
      { maxHalfSide: 14 },
      "expected maxHalfSide from 0.5 to 13.5, got 14 for 28x28 cells",
    ],
    ["a block smaller than a cell", { maxHalfSide: 0.4 }, "got 0.4 for 28x28 cells"],
    ["no size", { maxHalfSide: NaN }, "got NaN for 28x28 cells"],
    ["an option that it does not know", { size: 3 }, "unknown option size; it takes walk, steps, maxHalfSide"],
  ])("%s", (_what, options, message) => {
    const before = device.memory().allocations;
    expect(() => featureBlockPaste(features, DRAW, options)).toThrow("featureBlockPaste: ");
    expect(() => featureBlockPaste(features, DRAW, options)).toThrow(message);
    expect(device.memory().allocations).toBe(before);
  });

  test("other ranks, dtypes and draws", () => {
    expect(() => featureBlockPaste(empty(device, [28, 28, 4]), DRAW)).toThrow(
      "featureBlockPaste: expected features [N,H,W,C], got features [28,28,4]",
    );
    expect(() => featureBlockPaste(zeros(device, [1, 28, 28, 4], "u32"), DRAW)).toThrow(
      "featureBlockPaste: expected features of dtype f32 or f16",
    );
    expect(() => featureBlockPaste(features, DRAW, { std: zeros(device, [3]) })).toThrow(
      "featureBlockPaste: expected std [4]",
    );
    expect(() => featureBlockPaste(features, { ...DRAW, seed: -1 })).toThrow(
      "featureBlockPaste: expected seed, stream and step to be whole numbers below 2^32, got -1, 4 and 9",
    );
  });
});
