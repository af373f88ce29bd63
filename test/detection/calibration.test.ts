import { describe, expect, test } from "vitest";
import {
  calibratedClass,
  calibratedScore,
  calibrationOf,
  describeSpread,
  recalibrated,
  steepnessOf,
  thresholdsAt,
  type HeldOut,
} from "../../src/detection/calibration.ts";
import { imagesFor, supportedRate } from "../../src/detection/upper_bound.ts";
import { DivergedError, OptionError } from "../../src/runtime/errors.ts";
import { RandomStream } from "../../src/tensor/random.ts";

/** Good images whose scores are log-normal, of spreads that vary as the calibration expects: 0.15 sqrt(4 / chi^2(4)). */
function goodImages(count: number, seed: number, className = "part"): HeldOut[] {
  const squares = new RandomStream(seed, 2).normals(4, 1).reduce((sum, x) => sum + x * x, 0);
  const logs = new RandomStream(seed, 1).normals(count, 0.15 * Math.sqrt(4 / squares));
  return Array.from(logs, (log) => ({ className, score: Math.exp(2 + log), peak: 10 }));
}

describe("the threshold", () => {
  test.each([
    [1, 0.1],
    [5, 0.1],
    [16, 0.01],
    [40, 0.05],
  ])("from %i images rejects the share %f of further good ones, on average", (count, falseReject) => {
    const trials = 4000;
    let rejected = 0;
    for (let seed = 0; seed < trials; seed++) {
      const images = goodImages(count + 1, seed);
      if (images.at(-1)!.score > calibrationOf(images.slice(0, -1), falseReject).threshold) rejected++;
    }
    const std = Math.sqrt(trials * falseReject * (1 - falseReject));
    expect(Math.abs(rejected - trials * falseReject)).toBeLessThan(4 * std);
  });

  test("of very many images is their own quantile, whatever their distribution", () => {
    const images = Array.from({ length: 999 }, (_, i): HeldOut => ({ className: "part", score: 1 + i, peak: 1 }));
    expect(calibrationOf(images, 0.1).threshold).toBeCloseTo(900, 6);
  });

  test("of classes is each one's own; unknown ones have the highest", () => {
    const images = [
      ...goodImages(8, 1, "a"),
      ...goodImages(8, 2, "b").map((image) => ({ ...image, score: 9 * image.score })),
    ];
    const { classes, threshold, typical, pixelThreshold } = calibrationOf(images, 0.01);
    expect(classes["a"]).toEqual(calibrationOf(goodImages(8, 1, "a"), 0.01).classes["a"]);
    expect({ threshold, typical, pixelThreshold }).toEqual(classes["b"]);
  });

  test("of a single image, or equal ones, is above them", () => {
    for (const count of [1, 3]) {
      const images = Array.from({ length: count }, (): HeldOut => ({ className: "part", score: 5, peak: 1 }));
      expect(calibrationOf(images, 0.01).threshold).toBeGreaterThan(5);
    }
  });

  test("for a rate that too few images support is that of the least one that they do, which is told", () => {
    for (const [count, least] of [
      [1, 0.00375],
      [2, 0.00205],
      [3, 0.00123],
      [12, 0.00008],
    ] as const) {
      expect(supportedRate(count)).toBeCloseTo(least, 5);
      const images = goodImages(count, 1);
      const supported = calibrationOf(images, supportedRate(count));
      for (const rate of [1e-5, 1e-9, 1e-300, Number.MIN_VALUE]) expect(calibrationOf(images, rate)).toEqual(supported);
      // five deviations, and they are some 0.15
      expect(supported.threshold / supported.typical).toBeLessThan(Math.exp(5 * 2));
    }
    expect(calibrationOf(goodImages(40, 1), 0.001).falseReject).toBe(0.001);
    expect(calibrationOf([...goodImages(40, 1, "many"), ...goodImages(2, 1, "few")], 0.001).falseReject).toBe(
      supportedRate(2),
    );
  });

  test("needs so many images that they support the rate", () => {
    expect([0.1, 0.01, 0.001].map(imagesFor)).toEqual([1, 1, 4]);
    for (const rate of [0.003, 0.001, 1e-5]) {
      expect(supportedRate(imagesFor(rate))).toBeLessThanOrEqual(rate);
      expect(supportedRate(imagesFor(rate) - 1)).toBeGreaterThan(rate);
    }
    expect(imagesFor(1e-9)).toBe(5e9);
  });

  test.each([Number.NaN, Infinity, -Infinity, -1])(
    "is refused where a score or peak is %f, with the class",
    (wrong) => {
      for (const name of ["score", "peak"]) {
        const images = [...goodImages(5, 1), { className: "bolt", score: 1, peak: 1, [name]: wrong }];
        expect(() => calibrationOf(images, 0.01)).toThrow(DivergedError);
        expect(() => calibrationOf(images, 0.01)).toThrow("one of class bolt has");
      }
    },
  );

  test("is refused where scores lie so far apart that there is none", () => {
    const images = [1e-300, 1e300].map((score): HeldOut => ({ className: "bolt", score, peak: 1 }));
    expect(() => calibrationOf(images, 0.01)).toThrow(
      "scores of 2 good images of class bolt differ too much for a threshold: it would be Infinity",
    );
    const within = [1e-25, 1e5].map((score): HeldOut => ({ className: "bolt", score, peak: 1 }));
    expect(() => calibrationOf(within, 0.001)).toThrow(/it would be [\d.]+e\+\d+/); // more than any score in f32
    expect(() => calibrationOf([], 0.01)).toThrow(OptionError);
  });

  test("is refused for a share that is none", () => {
    for (const share of [0, -0.1, 0.51, Number.NaN])
      expect(() => calibrationOf(goodImages(3, 1), share)).toThrow(OptionError);
  });
});

test("a calibrated score is 0.5 at the threshold, 0.1 where good images are, and rises with the score", () => {
  const good = { threshold: 8, typical: 2 };
  expect(calibratedScore(8, good)).toBe(0.5);
  expect(calibratedScore(2, good)).toBeCloseTo(0.1, 12);
  expect(calibratedScore(0, good)).toBe(0);
  const scores = [0.1, 1, 3, 9, 100].map((score) => calibratedScore(score, good));
  expect(scores).toEqual([...scores].sort((a, b) => a - b));
  expect(scores.at(-1)).toBeLessThan(1);
});

test("a score is calibrated between 0 and 1, rising, also where the threshold is no higher than good images typically score", () => {
  const equal = Array.from({ length: 40 }, (): HeldOut => ({ className: "part", score: 5, peak: 1 }));
  const skewed = [1, 1, 1, 1, 1, 1, 1, 9, 9, 9, 9].map((score): HeldOut => ({ className: "part", score, peak: 1 }));
  for (const images of [equal, skewed]) {
    const good = calibrationOf(images, 0.5);
    expect(Number.isFinite(steepnessOf(good))).toBe(true);
    const scores = [0.5, 0.99, 1, 1.01, 2].map((share) => calibratedScore(share * good.threshold, good));
    expect(scores[2]).toBe(0.5);
    expect(scores).toEqual([...scores].sort((a, b) => a - b));
  }
});

test("the thresholds at a calibrated score are where it is reached, and move together", () => {
  const good = { threshold: 6, typical: 2, pixelThreshold: 15 };
  expect(thresholdsAt(good, 0.5)).toEqual({ threshold: 6, pixelThreshold: 15 });
  for (const share of [0.001, 0.1, 0.3, 0.9]) {
    const { threshold, pixelThreshold } = thresholdsAt(good, share);
    expect(calibratedScore(threshold, good)).toBeCloseTo(share, 12);
    expect(pixelThreshold / threshold).toBeCloseTo(15 / 6, 12);
  }
});

test("the heat of a map begins where good images peak, and spans a factor of twelve", () => {
  const [low, high] = calibrationOf(
    [
      { className: "a", score: 1, peak: 2 },
      { className: "a", score: 1.1, peak: 8 },
    ],
    0.01,
  ).heat;
  expect(low).toBeCloseTo(4, 12);
  expect(high).toBeCloseTo(48, 12);
});

describe("the threshold of pixels", () => {
  test("is to peaks what the other is to scores; that of an unknown class is the highest", () => {
    const likeScores = (images: readonly HeldOut[], factor: number) =>
      images.map((image) => ({ ...image, peak: factor * image.score }));
    const images = [...likeScores(goodImages(9, 1, "a"), 3), ...likeScores(goodImages(9, 2, "b"), 1)];
    const { classes, pixelThreshold } = calibrationOf(images, 0.05);
    expect(classes["a"]!.pixelThreshold).toBeCloseTo(3 * classes["a"]!.threshold, 10);
    expect(classes["b"]!.pixelThreshold).toBeCloseTo(classes["b"]!.threshold, 10);
    expect(pixelThreshold).toBe(Math.max(classes["a"]!.pixelThreshold, classes["b"]!.pixelThreshold));
  });
});

describe("scores of exactly 0", () => {
  const good = goodImages(8, 3);

  test("count as the least of their class above 0", () => {
    const zero = { className: "part", score: 0, peak: 0 };
    const least = Math.min(...good.map(({ score }) => score));
    expect(calibrationOf([...good, zero], 0.01)).toEqual(
      calibrationOf([...good, { ...zero, score: least, peak: 10 }], 0.01),
    );
  });

  test("set no threshold where a class has no others, which is no divergence", () => {
    const known = Array.from({ length: 4 }, () => ({ className: "known", score: 0, peak: 0 }));
    const calibrate = () => calibrationOf([...good, ...known], 0.01);
    expect(calibrate).toThrow(OptionError);
    expect(calibrate).toThrow(/all 4 good images of class known .* score 0, .* set folds to at least 2/);
  });

  test("are none if they are below it, or no numbers", () => {
    for (const score of [-1e-9, NaN, Infinity])
      expect(() => calibrationOf([...good, { className: "part", score, peak: 1 }], 0.01)).toThrow(DivergedError);
  });
});

describe("good images whose scores differ widely", () => {
  const scored = (className: string, ...scores: readonly number[]): HeldOut[] =>
    scores.map((score) => ({ className, score, peak: score }));

  test("are named with the class whose threshold is the farthest from a typical score", () => {
    const images = [...scored("even", 1, 1.2, 1.1, 0.9), ...scored("wild", 0.01, 5, 0.3, 2)];
    expect(describeSpread(calibrationOf(images, 0.05))).toMatch(
      /^\d+ times the score of a typical good image of class wild, because those held out differ widely: /,
    );
    expect(describeSpread(calibrationOf(scored("copied", 1e-9, 1), 0.05))).toMatch(/of class copied/);
  });

  test("are not named where they resemble each other", () => {
    for (let seed = 0; seed < 20; seed++) expect(describeSpread(calibrationOf(goodImages(12, seed), 0.01))).toBeNull();
    expect(describeSpread(calibrationOf(scored("one", 3), 0.5))).toBeNull();
  });
});

describe("thresholds anew", () => {
  const [a, b] = [goodImages(8, 1, "a"), goodImages(8, 2, "b").map((image) => ({ ...image, score: 9 * image.score }))];
  const before = calibrationOf([...a, ...b], 0.01);

  test("of all classes are those of a first calibration", () => {
    const [more, others] = [goodImages(12, 5, "a"), goodImages(12, 6, "b")];
    expect(recalibrated(before, [...more, ...others], 0.02)).toEqual(calibrationOf([...more, ...others], 0.02));
  });

  test("of one class leave the others and the scale of heat maps; the highest is that of unknown classes", () => {
    const higher = goodImages(12, 7, "a").map((image) => ({ ...image, score: 40 * image.score, peak: 90 }));
    const after = recalibrated(before, higher, 0.05);
    const ofHigher = calibrationOf(higher, 0.05);
    expect(after.classes).toEqual({ b: before.classes["b"], a: ofHigher.classes["a"] });
    expect(after.threshold).toBe(ofHigher.threshold);
    expect(after.pixelThreshold).toBe(ofHigher.pixelThreshold);
    expect([after.falseReject, after.heat]).toEqual([0.05, before.heat]);
    const lower = recalibrated(before, goodImages(12, 7, "a"), 0.005);
    expect(lower.threshold).toBe(before.threshold);
    expect(lower.falseReject).toBe(before.falseReject);
  });

  test("go by the name of the class, unless there is but one", () => {
    expect(calibratedClass(calibrationOf(a, 0.1), "anything")).toBe("a");
    expect(calibratedClass(before, "b")).toBe("b");
    expect(() => calibratedClass(before, "c")).toThrow("calibration: the model has no class c; it has a, b");
  });
});
