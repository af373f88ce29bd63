import { describe, expect, test } from "vitest";
import { aupro } from "../../src/metrics/aupro.ts";
import { evaluate, meanMetrics, type Sample } from "../../src/metrics/evaluate.ts";
import { auroc, averagePrecision, f1Max, precisionRecallCurve, rank, rocCurve } from "../../src/metrics/ranking.ts";
import { connectedRegions } from "../../src/metrics/regions.ts";
import { rng } from "../close.ts";
import golden from "../golden/metrics.json";

describe.each(golden.ranking.map((golden) => [golden.name, golden] as const))("%s", (_name, { scores, labels, ...want }) => {
  const ranking = rank(Float32Array.from(scores), Uint8Array.from(labels));

  test("equals scikit-learn", () => {
    expect(auroc(ranking)).toBeCloseTo(want.auroc, 12);
    expect(averagePrecision(ranking)).toBeCloseTo(want.averagePrecision, 12);
    expect(f1Max(ranking)!.value).toBeCloseTo(want.f1Max, 12);
  });

  test("the curve's area is the AUROC, thinned or not", () => {
    const area = ({ x, y }: { x: Float64Array; y: Float64Array }) => x.reduce((sum, at, i) => (i === 0 ? 0 : sum + ((at - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2), 0);
    expect(area(rocCurve(ranking))).toBeCloseTo(want.auroc, 12);
    expect(area(rocCurve(ranking, 10))).toBeCloseTo(want.auroc, 0);
  });
});

test.each(golden.aupro.map((golden) => [golden.name, golden] as const))("AUPRO with %s equals its definition", (_name, { width, height, maps, masks, ...want }) => {
  const images = maps.map((map, i) => ({ map: Float32Array.from(map), mask: Uint8Array.from(masks[i]!), width, height }));
  expect(aupro(images)).toBeCloseTo(want.aupro, 12);
  expect(aupro(images, 0.05)).toBeCloseTo(want.aupro05, 12);
});

test("AUROC is the share of rightly ordered pairs", () => {
  const random = rng(1);
  for (let round = 0; round < 50; round++) {
    const scores = Float32Array.from({ length: 25 }, () => Math.floor(8 * random()));
    const labels = Uint8Array.from({ length: 25 }, (_, i) => (i === 0 ? 1 : i === 1 ? 0 : random() < 0.5 ? 1 : 0));
    let [right, pairs] = [0, 0];
    labels.forEach((label, i) => labels.forEach((other, j) => {
      if (!label || other) return;
      pairs++;
      right += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    }));
    expect(auroc(rank(scores, labels))).toBeCloseTo(right / pairs, 12);
  }
});

test("a thinned curve keeps its ends and its size in hand", () => {
  const random = rng(2);
  const scores = Float32Array.from({ length: 20_000 }, () => random());
  const ranking = rank(scores, Uint8Array.from(scores, (score) => (random() < score ? 1 : 0)));
  const roc = rocCurve(ranking, 100);
  expect([roc.x[0], roc.y[0], roc.x.at(-1), roc.y.at(-1)]).toEqual([0, 0, 1, 1]);
  expect(roc.x.length).toBeLessThan(150);
  expect(precisionRecallCurve(ranking, 100).x.length).toBeGreaterThan(20);
});

test("pixels that touch at corners are one region", () => {
  const mask = Uint8Array.of(1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0);
  expect(connectedRegions(mask, 4, 3)).toEqual({ count: 2, labels: Int32Array.of(1, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0, 0) });
});

test("scores that are no numbers are refused", () => {
  expect(() => rank(Float32Array.of(1, NaN), Uint8Array.of(0, 1))).toThrow("score 1 is NaN; scores must be finite");
  expect(() => aupro([{ map: Float32Array.of(1, Infinity), mask: Uint8Array.of(0, 1), width: 2, height: 1 }])).toThrow("must be finite");
});

describe("evaluate", () => {
  const sample = (defective: boolean, score: number, map: number[], mask: number[] | null): Sample => ({
    defective, score, map: Float32Array.from(map), mask: mask && Uint8Array.from(mask), width: 2, height: 1,
  });

  test("takes labels from the folder, never from the mask", () => {
    const metrics = evaluate([sample(true, 2, [0, 1], [0, 0]), sample(false, 1, [0, 0], null)]);
    expect(metrics.imageAuroc).toBe(1);
    expect(metrics.pixelAuroc).toBeNull();
  });

  test("leaves pixels of unmasked defects out, and says null where nothing is defined", () => {
    const metrics = evaluate([sample(true, 2, [0, 9], [0, 1]), sample(true, 3, [9, 9], null), sample(false, 1, [1, 0], null)]);
    expect(metrics).toMatchObject({ imageAuroc: 1, pixelAuroc: 1, pixelAp: 1, pixelF1Max: 1 });
    expect(evaluate([sample(false, 1, [1, 0], null)])).toEqual({
      imageAuroc: null, imageAp: null, imageF1Max: null, pixelAuroc: null, pixelAp: null, pixelF1Max: null, pixelAupro: null,
    });
  });

  test("the mean skips what is undefined", () => {
    const defined = evaluate([sample(true, 2, [0, 9], [0, 1]), sample(false, 1, [1, 0], null)]);
    const undefinedOnes = evaluate([sample(false, 1, [1, 0], null)]);
    expect(meanMetrics([defined, undefinedOnes])).toEqual(defined);
  });
});
