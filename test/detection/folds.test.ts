import { describe, expect, test } from "vitest";
import { featuresOf, planFits, type TrainingSample } from "../../src/detection/folds.ts";

const samples = (count: number, className: string, first = 0): TrainingSample[] =>
  Array.from({ length: count }, (_, i) => ({
    className,
    name: `${className}${i}`,
    cut: null,
    views: [{ index: first + i, copies: [] }],
  }));
const names = (some: readonly TrainingSample[]): string => some.map(({ name }) => name).join(" ");

describe("the models of a training", () => {
  test("are one for a large class, which leaves out every fifth image, and three more for a small one", () => {
    const fits = planFits([...samples(10, "a"), ...samples(3, "b", 10)], 3);
    expect(fits.map(({ heldOut }) => names(heldOut))).toEqual(["b0", "b1", "b2", "a4 a9"]);
    expect(names(fits[0]!.training)).toBe("a0 a1 a2 a3 a5 a6 a7 a8 b1 b2");
    expect(names(fits[3]!.training)).toBe("a0 a1 a2 a3 a5 a6 a7 a8 b0 b1 b2");
  });

  test("are all trained on images that are settled, and the last one scores those that are", () => {
    const settled = { training: samples(2, "old"), heldOut: samples(1, "held") };
    const fits = planFits(samples(2, "b", 10), 2, settled);
    expect(fits.map(({ training }) => names(training))).toEqual(["old0 old1 b1", "old0 old1 b0", "old0 old1 b0 b1"]);
    expect(fits.map(({ heldOut }) => names(heldOut))).toEqual(["b0", "b1", "held0"]);
    expect(planFits(samples(1, "b", 10), 0, settled).map(({ heldOut }) => names(heldOut))).toEqual(["held0 b0"]);
  });

  test("see each tile and, behind it, its copies", () => {
    const [first, second] = samples(2, "a") as [TrainingSample, TrainingSample];
    const views = [
      { index: 0, copies: [7, 8] },
      { index: 5, copies: [6] },
    ];
    expect(featuresOf([{ ...first, views }, second])).toEqual([0, 7, 8, 5, 6, 1]);
  });
});
