import { describe, expect, test } from "vitest";
import { aupro, proCurve } from "../../src/metrics/aupro.ts";
import type { Curve } from "../../src/metrics/curve.ts";
import { evaluate, Evaluation, type ScoredImage } from "../../src/metrics/evaluate.ts";
import { meanMetrics } from "../../src/metrics/metrics.ts";
import { rankPixels } from "../../src/metrics/pixels.ts";
import {
  auroc,
  averagePrecision,
  f1Max,
  precisionRecallCurve,
  rank,
  rocCurve,
  youden,
} from "../../src/metrics/ranking.ts";
import { connectedRegions } from "../../src/metrics/regions.ts";
import { OptionError } from "../../src/runtime/errors.ts";
import { rng } from "../harness/bounds.ts";
import { Draws } from "../harness/draws.ts";
import golden from "../golden/metrics.json";

const ends = ({ x, y }: Curve) => [x[0], y[0], x.at(-1), y.at(-1)];
const areaUnder = ({ x, y }: Curve) =>
  x.reduce((sum, at, i) => (i === 0 ? 0 : sum + ((at - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2), 0);

describe.each(golden.ranking.map((golden) => [golden.name, golden] as const))(
  "%s",
  (_name, { scores, labels, ...want }) => {
    test.each([
      ["f32", Float32Array.from(scores)],
      ["f64", Float64Array.from(scores)],
    ])("equals scikit-learn, from %s", (_kind, values) => {
      const ranking = rank(values, Uint8Array.from(labels));
      expect(auroc(ranking)).toBeCloseTo(want.auroc, 12);
      expect(averagePrecision(ranking)).toBeCloseTo(want.averagePrecision, 12);
      expect(f1Max(ranking)!.value).toBeCloseTo(want.f1Max, 12);
      expect(f1Max(ranking)!.threshold).toBeCloseTo(want.f1Threshold, 12);
    });

    test("the ROC curve's area is the AUROC", () => {
      const ranking = rank(Float32Array.from(scores), Uint8Array.from(labels));
      expect(areaUnder(rocCurve(ranking))).toBeCloseTo(want.auroc, 12);
    });
  },
);

describe.each(golden.aupro.map((golden) => [golden.name, golden] as const))(
  "pixels: %s",
  (_name, { width, height, maps, masks, ...want }) => {
    // A mask of a good image may be left out.
    const images = maps.map((map, i) => ({
      map: Float32Array.from(map),
      mask: masks[i]!.includes(1) ? Uint8Array.from(masks[i]!) : null,
      width,
      height,
    }));
    const ranking = rankPixels(images);

    test("equal scikit-learn, and AUPRO its definition with the regions of scikit-image", () => {
      expect(auroc(ranking)).toBeCloseTo(want.auroc, 12);
      expect(averagePrecision(ranking)).toBeCloseTo(want.averagePrecision, 12);
      expect(f1Max(ranking)!.value).toBeCloseTo(want.f1Max, 12);
      expect(aupro(ranking)).toBeCloseTo(want.aupro, 12);
      expect(aupro(ranking, 0.05)).toBeCloseTo(want.aupro05, 12);
      expect(aupro(ranking, 1)).toBeCloseTo(want.aupro1, 12);
    });

    test("AUPRO is the area under its curve", () => {
      const curve = proCurve(ranking, 1e6);
      expect(ends(curve)).toEqual([0, 0, 1, 1]);
      expect(areaUnder(curve)).toBeCloseTo(want.aupro1, 12);
    });
  },
);

test.each(golden.regions.map((golden) => [Math.max(...golden.labels), golden] as const))(
  "%i regions are those of scikit-image",
  (count, { mask, labels, width, height }) => {
    expect(connectedRegions(Uint8Array.from(mask), width, height)).toEqual({
      count,
      labels: Int32Array.from(labels),
      areas: Array.from({ length: count }, (_, i) => labels.filter((label) => label === i + 1).length),
    });
  },
);

test("AUROC is the share of rightly ordered pairs", () => {
  const random = rng(1);
  for (let round = 0; round < 50; round++) {
    const scores = Float32Array.from({ length: 25 }, () => Math.floor(8 * random()));
    const labels = Uint8Array.from({ length: 25 }, (_, i) => (i === 0 ? 1 : i === 1 ? 0 : random() < 0.5 ? 1 : 0));
    let [right, pairs] = [0, 0];
    labels.forEach((label, i) =>
      labels.forEach((other, j) => {
        if (!label || other) return;
        pairs++;
        right += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
      }),
    );
    expect(auroc(rank(scores, labels))).toBeCloseTo(right / pairs, 12);
  }
});

test("metrics of the order alone survive a rising transform", () => {
  const random = rng(3);
  const scores = Float32Array.from({ length: 300 }, () => Math.floor(64 * random()) / 16 - 2);
  const labels = Uint8Array.from(scores, (score) => (4 * random() - 2 < score ? 1 : 0));
  // exact in f32, so no tie is made or lost
  const rising = Float32Array.from(scores, (score) => score ** 3 + 8 * score);
  const [before, after] = [rank(scores, labels), rank(rising, labels)];
  expect(auroc(after)).toBe(auroc(before));
  expect(averagePrecision(after)).toBe(averagePrecision(before));
  expect(f1Max(after)!.value).toBe(f1Max(before)!.value);
  const falling = rank(
    scores.map((score) => -score),
    labels,
  );
  expect(auroc(falling)).toBeCloseTo(1 - auroc(before)!, 12);
  const image = (map: Float32Array) => [{ map, mask: labels, width: 20, height: 15 }];
  expect(aupro(rankPixels(image(rising)))).toBe(aupro(rankPixels(image(scores))));
});

describe("a thinned curve", () => {
  const random = rng(2);
  const scores = Float32Array.from({ length: 20_000 }, () => random());
  // Precision of rare positives jumps up and down, which a limit on distances alone does not bound.
  const labels = Uint8Array.from(scores, (score) => (random() < 0.2 * score ? 1 : 0));
  const ranking = rank(scores, labels);
  const pixels = rankPixels([{ map: scores, mask: labels, width: 200, height: 100 }]);
  const curves: [string, (points?: number) => Curve][] = [
    ["ROC", (points) => rocCurve(ranking, points)],
    ["precision and recall", (points) => precisionRecallCurve(ranking, points)],
    ["overlap", (points) => proCurve(pixels, points)],
  ];

  test.each(curves)("of %s has at most so many points, and both ends", (_name, curve) => {
    const whole = curve(1e6);
    for (const points of [2, 3, 10, 100, 500]) {
      const { x, y } = curve(points);
      expect(x.length).toBe(y.length);
      expect(x.length <= points).toBe(true);
      expect(ends({ x, y })).toEqual(ends(whole));
    }
    expect(curve(100).x.length).toBeGreaterThan(20);
    expect(curve()).toEqual(curve(500));
  });

  test.each(curves)("of %s stays near the whole one", (_name, curve) => {
    const [whole, few] = [curve(1e6), curve(100)];
    const step = (i: number, j: number) => Math.abs(whole.x[i]! - whole.x[j]!) + Math.abs(whole.y[i]! - whole.y[j]!);
    const bound = whole.x.reduce((sum, _, i) => sum + (i === 0 ? 0 : step(i, i - 1)), 0) / 98;
    let last = 0;
    let kept = 1;
    let worst = 0;
    for (let i = 1; i < whole.x.length; i++) {
      if (whole.x[i] === few.x[kept] && whole.y[i] === few.y[kept]) [last, kept] = [i, kept + 1];
      worst = Math.max(worst, step(i, last));
    }
    expect(worst <= bound * (1 + 1e-9)).toBe(true);
    expect(kept).toBe(few.x.length);
  });

  test.each(curves)("of %s is refused for less than its ends", (_name, curve) => {
    for (const points of [1, 2.5, NaN]) expect(() => curve(points)).toThrow(OptionError);
  });
});

test("recall and precision begin at the highest score and end at (1, share of positives)", () => {
  const { x, y } = precisionRecallCurve(rank(Float32Array.of(4, 3, 3, 1), Uint8Array.of(1, 1, 0, 0)));
  expect([...x]).toEqual([0.5, 1, 1]);
  expect([...y]).toEqual([1, 2 / 3, 0.5]);
});

test("Youden's index is the largest difference of the rates, whatever the share of positives", () => {
  const ranking = (copies: number) =>
    rank(
      Float64Array.from([...Array.from({ length: copies }, () => [9, 6, 5, 1]).flat(), 2, 3, 7, 3]),
      Uint8Array.from({ length: 4 * copies + 4 }, (_, i) => Number(i < 4 * copies)),
    );
  // 3 of 4 against 1 of 4
  for (const copies of [1, 7]) expect(youden(ranking(copies))).toEqual({ value: 0.5, threshold: 5 });
  expect(youden(rank(Float64Array.of(1, 2), Uint8Array.of(1, 1)))).toBeNull();
});

test("of two thresholds with the same F1 the higher is named", () => {
  expect(f1Max(rank(Float32Array.of(4, 3, 2, 1), Uint8Array.of(1, 0, 0, 1)))).toEqual({ value: 2 / 3, threshold: 4 });
});

test("f64 scores that f32 cannot tell apart are told apart", () => {
  expect(auroc(rank(Float64Array.of(1, 1 + 1e-12), Uint8Array.of(0, 1)))).toBe(1);
});

test.each([
  ["no negative", 1],
  ["no positive", 0],
])("with %s nothing is defined", (_what, label) => {
  const ranking = rank(Float32Array.of(1, 2), Uint8Array.of(label, label));
  const pixels = rankPixels([{ map: Float32Array.of(1, 2), mask: Uint8Array.of(label, label), width: 2, height: 1 }]);
  expect([auroc(ranking), averagePrecision(ranking), f1Max(ranking), aupro(pixels)]).toEqual([null, null, null, null]);
  for (const curve of [rocCurve(ranking), precisionRecallCurve(ranking), proCurve(pixels)])
    expect(curve).toEqual({ x: new Float64Array(), y: new Float64Array() });
});

test("nothing at all is ranked as nothing", () => {
  expect(rank(new Float32Array(), new Uint8Array())).toMatchObject({ positives: 0, negatives: 0 });
  expect(aupro(rankPixels([]))).toBeNull();
});

test("small and large regions count the same in AUPRO", () => {
  // A region of one pixel lies above every good pixel, one of four pixels below them all.
  const image = {
    map: Float32Array.of(9, 5, 5, 1, 1, 1, 1),
    mask: Uint8Array.of(1, 0, 0, 1, 1, 1, 1),
    width: 7,
    height: 1,
  };
  expect(aupro(rankPixels([image]))).toBeCloseTo(0.5, 12);
});

test("a perfect map has exactly AUPRO 1, whatever 1 / area is rounded to", () => {
  const mask = Uint8Array.from({ length: 49 * 2 }, (_, i) => (i < 49 ? 1 : 0));
  expect(aupro(rankPixels([{ map: Float32Array.from(mask), mask, width: 7, height: 14 }]))).toBe(1);
});

test("AUPRO is interpolated at its limit", () => {
  // From (0, 0.5) straight to (1, 1): up to 0.5 the mean is 0.625.
  const image = { map: Float32Array.of(3, 1, 1, 1), mask: Uint8Array.of(1, 1, 0, 0), width: 4, height: 1 };
  expect(aupro(rankPixels([image]), 0.5)).toBeCloseTo(0.625, 12);
  for (const limit of [0, -1, 1.1, NaN]) expect(() => aupro(rankPixels([image]), limit)).toThrow(OptionError);
});

test("pixels that touch at corners are one region", () => {
  const mask = Uint8Array.of(1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0);
  expect(connectedRegions(mask, 4, 3)).toEqual({
    count: 2,
    labels: Int32Array.of(1, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0, 0),
    areas: [2, 2],
  });
});

test("a region as large as an image is found without recursion, and one snake is one region", () => {
  const side = 600;
  expect(connectedRegions(new Uint8Array(side * side).fill(1), side, side).count).toBe(1);
  const snake = Uint8Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    return y % 2 === 0 || x === (y % 4 === 1 ? side - 1 : 0) ? 1 : 0;
  });
  expect(connectedRegions(snake, side, side).count).toBe(1);
});

test("a row's end and the next row's begin do not touch", () => {
  expect(connectedRegions(Uint8Array.of(0, 0, 1, 1, 0, 0), 3, 2).count).toBe(2);
});

test("scores that are no numbers are refused", () => {
  expect(() => rank(Float32Array.of(1, NaN), Uint8Array.of(0, 1))).toThrow("score 1 is NaN; scores must be finite");
  expect(() => rank(Float64Array.of(-Infinity, 2), Uint8Array.of(0, 1))).toThrow(
    "score 0 is -Infinity; scores must be finite",
  );
  const good = { map: Float32Array.of(1, 2), mask: null, width: 2, height: 1 };
  expect(() =>
    rankPixels([good, { map: Float32Array.of(1, Infinity), mask: Uint8Array.of(0, 1), width: 2, height: 1 }]),
  ).toThrow("image 1: the anomaly map holds Infinity at pixel 1; it must be finite");
});

test("lengths that do not fit are refused", () => {
  expect(() => rank(Float32Array.of(1), Uint8Array.of(0, 1))).toThrow(
    "expected a label for each of 1 scores, got 2 labels",
  );
  expect(() => rankPixels([{ map: new Float32Array(3), mask: null, width: 2, height: 2 }])).toThrow(
    "image 0: expected 2 x 2 map values, got 3",
  );
  expect(() => rankPixels([{ map: new Float32Array(4), mask: new Uint8Array(3), width: 2, height: 2 }])).toThrow(
    "image 0: expected 2 x 2 mask values, got 3",
  );
  expect(() => connectedRegions(new Uint8Array(3), 2, 2)).toThrow("expected 2 x 2 mask values, got 3");
});

describe("evaluate", () => {
  const sample = (defective: boolean, score: number, map: number[], mask: number[] | null): ScoredImage => ({
    defective,
    score,
    map: Float32Array.from(map),
    mask: mask && Uint8Array.from(mask),
    width: 2,
    height: 1,
  });

  test("takes labels from the folder, never from the mask", () => {
    const metrics = evaluate([sample(true, 2, [0, 1], [0, 0]), sample(false, 1, [0, 0], null)]);
    expect(metrics.imageAuroc).toBe(1);
    expect(metrics.pixelAuroc).toBeNull();
  });

  test("leaves pixels of unmasked defects out, and says null where nothing is defined", () => {
    const metrics = evaluate([
      sample(true, 2, [0, 9], [0, 1]),
      sample(true, 3, [9, 9], null),
      sample(false, 1, [1, 0], null),
    ]);
    expect(metrics).toMatchObject({ imageAuroc: 1, pixelAuroc: 1, pixelAp: 1, pixelF1Max: 1 });
    expect(evaluate([sample(false, 1, [1, 0], null)])).toEqual({
      imageAuroc: null,
      imageAp: null,
      imageF1Max: null,
      pixelAuroc: null,
      pixelAp: null,
      pixelF1Max: null,
      pixelAupro: null,
    });
  });

  test("image scores keep the precision of a number", () => {
    expect(evaluate([sample(false, 1, [0, 0], null), sample(true, 1 + 1e-12, [0, 1], null)]).imageAuroc).toBe(1);
  });

  test("an AUROC below one half stays below", () => {
    expect(evaluate([sample(false, 2, [1, 1], null), sample(true, 1, [0, 5], [1, 0])])).toMatchObject({
      imageAuroc: 0,
      pixelAuroc: 0,
    });
  });

  test("where no pixel is good, no pixel metric is defined", () => {
    expect(evaluate([sample(true, 2, [0, 9], [1, 1])])).toEqual({
      imageAuroc: null,
      imageAp: null,
      imageF1Max: null,
      pixelAuroc: null,
      pixelAp: null,
      pixelF1Max: null,
      pixelAupro: null,
    });
  });

  test.each(["exact", "streaming"] as const)(
    "pixels that do not count change nothing but the images' scores: %s",
    (method) => {
      const draws = new Draws(7);
      const [without, within] = [1, 2].map(() => new Evaluation({ method, resamples: 50 })) as [Evaluation, Evaluation];
      for (let image = 0; image < 12; image++) {
        const map = Float32Array.from({ length: 36 }, () => draws.unit());
        const mask = Uint8Array.from(map, (value) => (image % 2 === 1 && value + draws.unit() > 1.6 ? 1 : 0));
        const sample = { defective: image % 2 === 1, score: draws.unit(), map, mask, width: 6, height: 6 };
        without.add(sample);
        // The same in the upper half of a picture, whose lower half would spoil every figure.
        const below = <T extends Float32Array | Uint8Array>(upper: T, value: number): T => {
          const whole =
            upper.constructor === Float32Array ? new Float32Array(72).fill(value) : new Uint8Array(72).fill(value);
          whole.set(upper);
          return whole as T;
        };
        within.add({
          ...sample,
          map: below(map, image % 3 === 0 ? 9 : -9),
          mask: below(mask, 0),
          counted: below(new Uint8Array(36).fill(1), 0),
          height: 12,
        });
      }
      expect(without.result().pixel?.positives).toBeGreaterThan(10);
      expect(within.result()).toEqual(without.result());
    },
  );

  test("a defect where nothing counts is refused", () => {
    const marked = {
      map: new Float32Array(2),
      mask: Uint8Array.of(0, 1),
      counted: Uint8Array.of(1, 0),
      width: 2,
      height: 1,
    };
    expect(() => rankPixels([marked])).toThrow("image 0: pixel 1 is marked as defective but excluded by counted");
    expect(() => rankPixels([{ ...marked, counted: new Uint8Array(3) }])).toThrow(
      "image 0: expected 2 x 1 counted values, got 3",
    );
  });

  test("the mean skips what is undefined", () => {
    const defined = evaluate([sample(true, 2, [0, 9], [0, 1]), sample(false, 1, [1, 0], null)]);
    const undefinedOnes = evaluate([sample(false, 1, [1, 0], null)]);
    expect(meanMetrics([defined, undefinedOnes])).toEqual(defined);
    const half = { ...defined, imageAuroc: 0.5, pixelAupro: null };
    expect(meanMetrics([defined, half])).toEqual({ ...defined, imageAuroc: 0.75 });
    expect(meanMetrics([]).imageAp).toBeNull();
  });
});
