import { describe, expect, test } from "vitest";
import { aupro } from "../../src/metrics/aupro.ts";
import { rankingBounds, type Bounds, type RankingBounds } from "../../src/metrics/bounds.ts";
import { Evaluation, type ScoredImage } from "../../src/metrics/evaluate.ts";
import { METRICS } from "../../src/metrics/metrics.ts";
import { PixelHistogram } from "../../src/metrics/pixel_histogram.ts";
import { rankPixels, type PixelRanking, type ScoredMap } from "../../src/metrics/pixels.ts";
import { auroc, averagePrecision, f1Max } from "../../src/metrics/ranking.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { Draws } from "../harness/draws.ts";
import golden from "../golden/metrics.json";

const [WIDTH, HEIGHT] = [40, 25];

/**
 * Images whose defects are somewhat hotter; every second has a few rectangles. `value` makes a map's value of a uniform
 * number.
 */
function drawn(draws: Draws, count: number, value: (unit: number, defective: boolean) => number): ScoredMap[] {
  return Array.from({ length: count }, (_, image) => {
    const mask = new Uint8Array(WIDTH * HEIGHT);
    for (let rectangles = image % 2 === 0 ? 3 : 0; rectangles > 0; rectangles--) {
      const [left, top, width, height] = [
        draws.whole(0, WIDTH - 6),
        draws.whole(0, HEIGHT - 6),
        draws.whole(1, 6),
        draws.whole(1, 6),
      ];
      for (let y = top; y < top + height; y++) mask.fill(1, y * WIDTH + left, y * WIDTH + left + width);
    }
    return {
      map: Float32Array.from(mask, (marked) => value(draws.unit(), marked !== 0)),
      mask,
      width: WIDTH,
      height: HEIGHT,
    };
  });
}

const counted = (images: readonly ScoredMap[]): PixelHistogram => {
  const histogram = new PixelHistogram();
  for (const image of images) histogram.add(image);
  return histogram;
};

const exact = (ranking: PixelRanking) => ({
  auroc: auroc(ranking)!,
  averagePrecision: averagePrecision(ranking)!,
  f1Max: f1Max(ranking)!.value,
  aupro: aupro(ranking)!,
});

const NAMES = ["auroc", "averagePrecision", "f1Max", "aupro"] as const;
const widthOf = ({ low, high }: Bounds): number => high - low;

/** Metrics that lie outside their bounds by more than rounding. */
const outside = (metrics: ReturnType<typeof exact>, bounds: RankingBounds): string[] =>
  NAMES.filter(
    (name) => !(metrics[name] >= bounds[name]!.low - 1e-12 && metrics[name] <= bounds[name]!.high + 1e-12),
  ).map((name) => `${name}: ${metrics[name]} outside ${bounds[name]!.low} .. ${bounds[name]!.high}`);

describe("a histogram of pixels", () => {
  test.each(golden.aupro.map((golden) => [golden.name, golden] as const))(
    "loses nothing where a bin holds one value: %s",
    (_name, { maps, masks, width, height }) => {
      // Few mantissa bits: no two values share a bin.
      const images = maps.map((map, i) => ({
        map: Float32Array.from(map, (value) => Math.round(64 * value) / 64),
        mask: Uint8Array.from(masks[i]!),
        width,
        height,
      }));
      const [ranking, want] = [counted(images).ranking(), rankPixels(images)];
      // A bin is named by its lower edge: of a negative value, that lies below.
      want.thresholds.forEach((value, i) => expect(value - ranking.thresholds[i]!).toBeCloseTo(0, value < 0 ? 3 : 12));
      expect([...ranking.truePositives]).toEqual([...want.truePositives]);
      expect([...ranking.falsePositives]).toEqual([...want.falsePositives]);
      ranking.overlaps.forEach((overlap, i) => expect(overlap).toBeCloseTo(want.overlaps[i]!, 12));
      expect(ranking).toMatchObject({ positives: want.positives, negatives: want.negatives });
    },
  );

  test.each([
    ["errors of a detector", (unit: number, marked: boolean) => Math.exp(3 * unit + (marked ? 1.5 : 0)), 5e-3],
    ["small differences on a large offset", (unit: number, marked: boolean) => 1000 + unit + (marked ? 0.3 : 0), 0.15],
    ["values of both signs", (unit: number, marked: boolean) => (2 * unit - 1) ** 3 + (marked ? 0.2 : 0), 5e-3],
    ["all in one bin", (unit: number, marked: boolean) => 1 + 1e-6 * unit + (marked ? 1e-6 : 0), 1],
  ])("bounds the exact metrics: %s", (_name, value, most) => {
    const images = drawn(new Draws(5), 40, value);
    const ranking = counted(images).ranking();
    const bounds = rankingBounds(ranking);
    expect(outside(exact(rankPixels(images)), bounds)).toEqual([]);
    for (const name of NAMES) expect(widthOf(bounds[name]!), name).toBeLessThanOrEqual(most);
  });

  test("takes memory for the powers of two that it has seen, whatever comes", () => {
    const page = 3 * 8 * 2 ** 14;
    const histogram = new PixelHistogram();
    expect(histogram.bytes).toBe(0);
    const draws = new Draws(1);
    for (const image of drawn(draws, 20, (unit) => 1 + unit)) histogram.add(image); // 1 to 2: one power of two
    expect(histogram.bytes).toBe(page);
    for (let round = 0; round < 20; round++)
      for (const image of drawn(draws, 20, (unit) => 1 + 3 * unit)) histogram.add(image);
    expect(histogram.bytes).toBe(2 * page);
    expect(histogram.pixels).toBe(21 * 20 * WIDTH * HEIGHT);
    const all = Float32Array.from(
      { length: WIDTH * HEIGHT },
      (_, i) => (i % 2 === 0 ? 1 : -1) * 2 ** ((i % 250) - 140),
    );
    histogram.add({ map: all, mask: null, width: WIDTH, height: HEIGHT });
    expect(histogram.bytes).toBeLessThanOrEqual(512 * page); // 201 MB: there are no more signs and exponents
  });

  test("refuses what cannot be ranked, naming the image", () => {
    const histogram = counted(drawn(new Draws(2), 3, (unit) => unit));
    expect(() => histogram.add({ map: Float32Array.of(NaN), mask: null, width: 1, height: 1 })).toThrow(
      "image 3: the anomaly map holds NaN at pixel 0",
    );
    expect(() => histogram.add({ map: Float32Array.of(1), mask: null, width: 1, height: 2 })).toThrow(
      "image 3: expected 1 x 2 map values, got 1",
    );
    expect(histogram.pixels).toBe(3 * WIDTH * HEIGHT);
  });

  test("without defects, or without anything, bounds nothing", () => {
    const nothing = { auroc: null, averagePrecision: null, f1Max: null, aupro: null };
    expect(rankingBounds(new PixelHistogram().ranking())).toEqual(nothing);
    expect(rankingBounds(counted([{ map: Float32Array.of(1, 2), mask: null, width: 2, height: 1 }]).ranking())).toEqual(
      nothing,
    );
    for (const limit of [0, 1.5, NaN])
      expect(() => rankingBounds(new PixelHistogram().ranking(), limit)).toThrow(OptionError);
  });
});

describe("bounds", () => {
  // Pixels whose bin is known, and nothing else: here, the whole part of their value.
  const binned = (image: ScoredMap): ScoredMap => ({ ...image, map: image.map.map(Math.floor) });

  test("hold for every order within the bins, ties included", () => {
    const draws = new Draws(11);
    for (let round = 0; round < 300; round++) {
      const [bins, levels] = [draws.whole(1, 6), draws.whole(1, 5)]; // few levels: ties within a bin
      const [image] = drawn(
        draws,
        1,
        (unit, marked) => Math.floor(bins * unit ** (marked ? 0.6 : 1)) + draws.whole(0, levels - 1) / levels,
      ) as [ScoredMap];
      for (const limit of [0.3, 1]) {
        const bounds = rankingBounds(rankPixels([binned(image)]), limit);
        const ranking = rankPixels([image]);
        expect(outside({ ...exact(ranking), aupro: aupro(ranking, limit)! }, bounds)).toEqual([]);
      }
    }
  });

  test("are reached: all defects of each bin first, or last", () => {
    const draws = new Draws(12);
    const marked = drawn(draws, 1, (unit, marked) => Math.floor(6 * unit + (marked ? 2 : 0)))[0]!;
    const moved = (by: number): ScoredMap => ({
      ...marked,
      map: marked.map.map((value, i) => value + (marked.mask![i] ? by : 0)),
    });
    const bounds = rankingBounds(rankPixels([marked]));
    const [best, worst] = [moved(0.5), moved(-0.5)].map((image) => exact(rankPixels([image]))) as [
      ReturnType<typeof exact>,
      ReturnType<typeof exact>,
    ];
    for (const name of NAMES) expect(best[name], name).toBeCloseTo(bounds[name]!.high, 12);
    // With a low half a bin below, the defects of one bin still lie above the good pixels of the next.
    expect(worst.auroc).toBeCloseTo(bounds.auroc!.low, 12);
    expect(worst.aupro).toBeCloseTo(bounds.aupro!.low, 12);
  });
});

describe("an evaluation", () => {
  const samples = (count: number): ScoredImage[] =>
    drawn(new Draws(3), count, (unit, marked) => Math.exp(3 * unit + (marked ? 1 : 0))).map((image, i) => ({
      ...image,
      defective: i % 2 === 0,
      mask: i % 2 === 0 ? image.mask : null,
      score: Math.max(...image.map),
    }));
  const evaluated = (options: ConstructorParameters<typeof Evaluation>[0], count = 30) => {
    const evaluation = new Evaluation({ resamples: 0, ...options });
    for (const sample of samples(count)) evaluation.add(sample);
    return evaluation.result();
  };
  const budget = 20 * WIDTH * HEIGHT;

  test("is exact up to its budget, and says so", () => {
    const { method, errors, pixels, metrics } = evaluated({ pixelBudget: budget }, 20);
    expect(method).toBe("exact");
    expect(pixels).toBe(budget);
    expect(Object.values(errors)).toEqual(METRICS.map(() => 0));
    expect(evaluated({ method: "exact" }, 20).metrics).toEqual(metrics);
  });

  test("streams beyond it, from the first image on, and says how far it may be off", () => {
    const [exactly, automatic, streamed] = [
      evaluated({ method: "exact" }),
      evaluated({ pixelBudget: budget }),
      evaluated({ method: "streaming" }),
    ];
    expect(automatic).toEqual(streamed);
    expect(automatic.method).toBe("streaming");
    for (const name of METRICS) {
      const [error, difference] = [
        automatic.errors[name]!,
        Math.abs(automatic.metrics[name]! - exactly.metrics[name]!),
      ];
      if (name.startsWith("image")) expect([name, error, difference]).toEqual([name, 0, 0]);
      else
        expect(
          (error > 0 || name === "pixelF1Max") && error < 2e-3 && difference <= error,
          `${name}: ${difference} of ${error}`,
        ).toBe(true);
    }
  });

  test("refuses options that it cannot follow", () => {
    expect(() => new Evaluation({ method: "guess" as "auto" })).toThrow(
      "expected method to be one of exact, streaming, auto, got guess",
    );
    expect(() => new Evaluation({ resamples: -1 })).toThrow(OptionError);
    expect(() => new Evaluation({ pixelBudget: 0.5 })).toThrow("expected pixelBudget to be a whole number, got 0.5");
  });
});
