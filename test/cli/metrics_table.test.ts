import { expect, test } from "vitest";
import type { EvaluatedRun } from "../../src/cli/evaluate/evaluated.ts";
import { metricsTable } from "../../src/cli/evaluate/metrics_table.ts";
import { eachMetric } from "../../src/metrics/metrics.ts";
import { NOT_CALIBRATED } from "../../src/detection/calibration.ts";

const calibration = { ...NOT_CALIBRATED, falseReject: 0.01, threshold: 8, typical: 2, pixelThreshold: 9 };

/** The lines about verdicts on images of these scores. */
function verdicts(defective: readonly number[], good: readonly number[], calibrated = calibration): string[] {
  const images = [...defective, ...good].map((score, i) => ({
    item: { path: `${i}.png`, defective: i < defective.length, kind: "", masks: [] },
    score,
  }));
  const metrics = eachMetric(() => null);
  const data = { name: "part", train: [], test: images.map(({ item }) => item) };
  const none = { intervals: null, resampled: null, method: "exact", pixels: 0, errors: metrics, gap: null } as const;
  const run = {
    classes: [{ data, images, metrics, ...none }],
    mean: metrics,
    intervals: null,
    seconds: 0,
  } as unknown as EvaluatedRun;
  return metricsTable(run, calibrated)
    .split("\n")
    .filter((line) => line.startsWith("part: "));
}

test("a table says what the model's own threshold does, and which one would have been the best for these images", () => {
  const [own, best] = verdicts([20, 6, 5, 1], [2, 3, 4]);
  expect(own).toBe(
    "part: at its own threshold the model catches 1 of 4 defective images, and rejects 0 of 3 good ones",
  );
  const [, share] =
    /with predict --threshold (0\.\d+), the best balance of both for these images, it catches 3 of 4 defective images, and rejects 0 of 3 good ones$/.exec(
      best!,
    )!;
  expect(Number(share)).toBeGreaterThan(0.1);
  expect(Number(share)).toBeLessThan(0.5);
});

test("of several classes, the flags name the class whose thresholds they move", () => {
  const { threshold, typical, pixelThreshold } = calibration;
  const part = { threshold, typical, pixelThreshold };
  const classes = { part, other: { ...part, threshold: 16 } };
  const [own, best] = verdicts([20, 6, 5, 1], [2, 3, 4], { ...calibration, threshold: 16, classes });
  expect(own).toContain("catches 1 of 4 defective images");
  expect(best).toMatch(/^part: with predict --class part --threshold 0\.\d+, .+ catches 3 of 4 defective images/);
});

test("where the own threshold is the best, or there is nothing to tell apart, no other is named", () => {
  expect(verdicts([20, 12], [2, 3, 4])).toEqual([
    "part: at its own threshold the model catches 2 of 2 defective images, and rejects 0 of 3 good ones",
  ]);
  expect(verdicts([], [2, 9])).toEqual([
    "part: at its own threshold the model catches 0 of 0 defective images, and rejects 1 of 2 good ones",
  ]);
});
