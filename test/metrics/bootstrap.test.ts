import { describe, expect, test } from "vitest";
import {
  intervalsOf,
  meanResampled,
  resampledMetrics,
  resamplesOf,
  type DrawnImage,
  type Resampled,
} from "../../src/metrics/bootstrap.ts";
import { evaluate, Evaluation, type Evaluated, type ScoredImage } from "../../src/metrics/evaluate.ts";
import { imageHistogram } from "../../src/metrics/image_histogram.ts";
import { eachMetric, METRICS } from "../../src/metrics/metrics.ts";
import { Draws } from "../harness/draws.ts";

const [WIDTH, HEIGHT] = [12, 10];

/**
 * Good and defective images; a third of the latter without a mask. Map values are sixteenths: each has a bin of its
 * own.
 */
function samples(count: number, seed = 1, levels = 32): ScoredImage[] {
  const draws = new Draws(seed);
  return Array.from({ length: count }, (_, i) => {
    const defective = i % 2 === 0;
    const mask = Uint8Array.from({ length: WIDTH * HEIGHT }, () => (defective && draws.chance(0.1) ? 1 : 0));
    const map = Float32Array.from(mask, (marked) => 1 + Math.floor(levels * (draws.unit() + 0.3 * marked)) / levels);
    return {
      defective,
      score: Math.floor(8 * (draws.unit() + (defective ? 0.4 : 0))),
      map,
      mask: defective && i % 3 > 0 ? mask : null,
      width: WIDTH,
      height: HEIGHT,
    };
  });
}

const drawn = (images: readonly ScoredImage[]): DrawnImage[] =>
  images.map((sample) => ({ ...sample, pixels: sample.defective && !sample.mask ? null : imageHistogram(sample) }));

test("a resample's metrics are those of its images, each as often as it was drawn", () => {
  const images = samples(18);
  const resampled = resampledMetrics(drawn(images), evaluate(images), 25, 7, 3);
  const weights = [...resamplesOf(images, 25, 7, 3)];
  for (const [resample, weight] of weights.entries()) {
    const want = evaluate(images.flatMap((sample, i) => Array.from({ length: weight[i]! }, () => sample)));
    for (const name of METRICS) expect(resampled[name][resample], name).toBeCloseTo(want[name]!, 9);
  }
});

test("good and defective images are drawn apart, as many as there are", () => {
  const images = samples(21);
  for (const weights of resamplesOf(images, 50, 0, 0)) {
    const drawn = [true, false].map((kind) =>
      weights.reduce((sum, weight, i) => sum + (images[i]!.defective === kind ? weight : 0), 0),
    );
    expect(drawn).toEqual([11, 10]);
  }
});

test("the same seed and part draw the same, others differ", () => {
  const images = samples(30);
  const drawn = (seed: number, part: number) => [...resamplesOf(images, 5, seed, part)];
  expect(drawn(1, 2)).toEqual(drawn(1, 2));
  expect(drawn(1, 3)).not.toEqual(drawn(1, 2));
  expect(drawn(2, 2)).not.toEqual(drawn(1, 2));
});

test("coarse bins move a pixel metric less than its interval is wide, by far", () => {
  const images = samples(16, 4, 1 << 14);
  const resampled = resampledMetrics(drawn(images), evaluate(images), 200, 1);
  const intervals = intervalsOf(resampled);
  for (const [resample, weight] of [...resamplesOf(images, 20, 1, 0)].entries()) {
    const want = evaluate(images.flatMap((sample, i) => Array.from({ length: weight[i]! }, () => sample)));
    for (const name of METRICS) {
      const [low, high] = intervals[name]!;
      expect(Math.abs(resampled[name][resample]! - want[name]!) / (high - low), name).toBeLessThan(0.15);
    }
  }
});

describe("intervals", () => {
  const intervals = (count: number, options = {}, levels = 32) => {
    const evaluation = new Evaluation(options);
    for (const sample of samples(count, 1, levels)) evaluation.add(sample);
    return evaluation.result();
  };

  test("hold the value and narrow with more images", () => {
    const [few, many] = [intervals(20), intervals(320)];
    for (const name of METRICS) {
      for (const { metrics, intervals } of [few, many]) {
        const [low, high] = intervals![name]!;
        expect(low <= metrics[name]! && metrics[name]! <= high, name).toBe(true);
      }
      const [wide, narrow] = [few, many].map(({ intervals }) => intervals![name]![1] - intervals![name]![0]) as [
        number,
        number,
      ];
      expect(narrow < 0.6 * wide, `${name}: ${wide} to ${narrow}`).toBe(true);
    }
    expect(few.resampled!.imageAuroc).toHaveLength(1000);
  });

  test("are those of numpy.quantile, over the resamples in which a metric is defined", () => {
    const values = [0.5, null, 0.1, 0.9, 0.3, null, 0.7];
    const resampled: Resampled = { ...eachMetric(() => [null, null]), imageAp: values };
    const { imageAp, imageAuroc } = intervalsOf(resampled);
    expect(imageAp![0]).toBeCloseTo(0.12, 12); // numpy.quantile([.1, .3, .5, .7, .9], .025)
    expect(imageAp![1]).toBeCloseTo(0.88, 12);
    expect(imageAuroc).toBeNull();
  });

  test("of a mean come from each resample's mean over the classes in which it is defined", () => {
    const of = (imageAp: (number | null)[]): Resampled => ({ ...eachMetric(() => [null, null, null]), imageAp });
    expect(meanResampled([of([0.2, 0.4, null]), of([0.6, null, null])]).imageAp).toEqual([0.4, 0.4, null]);
    expect(meanResampled([]).imageAp).toEqual([]);
  });

  test("are left out on demand, and null where there is nothing to measure", () => {
    expect(intervals(10, { resamples: 0 })).toMatchObject({ intervals: null, resampled: null });
    const evaluation = new Evaluation();
    evaluation.add({ defective: false, score: 1, map: Float32Array.of(1), mask: null, width: 1, height: 1 });
    expect(evaluation.result().intervals).toEqual(eachMetric(() => null));
    expect(new Evaluation().result().metrics).toEqual(eachMetric(() => null));
  });

  test("are the same for streamed pixels, but for what those may be off", () => {
    const [exact, streamed] = (["exact", "streaming"] as const).map((method) => intervals(24, { method }, 1 << 20)) as [
      Evaluated,
      Evaluated,
    ];
    for (const name of METRICS) {
      for (const end of [0, 1] as const) {
        const moved = Math.abs(streamed.intervals![name]![end] - exact.intervals![name]![end]);
        expect(moved <= streamed.errors[name]! + 1e-12, `${name}: ${moved} of ${streamed.errors[name]}`).toBe(true);
      }
    }
  });
});
