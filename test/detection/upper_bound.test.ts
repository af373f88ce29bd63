import { describe, expect, test } from "vitest";
import { calibrationOf, type HeldOut } from "../../src/detection/calibration.ts";
import { upperBound } from "../../src/detection/upper_bound.ts";
import { RandomStream } from "../../src/tensor/random.ts";

const normals = (count: number, mean: number, std: number, seed: number): number[] =>
  Array.from(new RandomStream(seed, 1).normals(count, std), (value) => mean + value);

describe("the bound of scores with some that were added", () => {
  const old = normals(20, 0, 0.15, 1);

  test("is that of the others where none were, and of the added ones where there is nothing else", () => {
    expect(upperBound([], old, 0.01)).toBe(upperBound(old, [], 0.01));
  });

  test("lets the share pass, of both kinds together, that it says", () => {
    for (const probability of [0.2, 0.1]) {
      let beyond = 0;
      const rounds = 800;
      for (let seed = 0; seed < rounds; seed++) {
        const [known, added] = [normals(13, 0, 0.15, 2 * seed), normals(6, 0.3, 0.15, 2 * seed + 1)];
        const isAdded = seed % 19 < 6; // as often as they are among the others
        const next = isAdded ? added.pop()! : known.pop()!;
        if (next > upperBound(known, added, probability)) beyond++;
      }
      // five standard deviations of the share
      expect(Math.abs(beyond / rounds - probability)).toBeLessThan(5 * Math.sqrt(probability / rounds));
    }
  });

  test("lies between the bounds of both kinds, nearer to the added ones the more there are", () => {
    const bounds = [1, 4, 16].map((count) => upperBound(old, normals(count, 0.3, 0.05, 9), 0.01));
    for (const bound of bounds) expect(bound).toBeGreaterThan(upperBound(old, [], 0.01));
    expect(bounds[0]!).toBeLessThan(upperBound([], normals(1, 0.3, 0.05, 9), 0.01));
  });

  test("rises by half at most, whatever is added, few or many", () => {
    for (const count of [1, 5, 600]) {
      const far = normals(count, 8, 0.1, 3);
      const many = normals(count, 0, 0.15, 4);
      expect(upperBound(many, far, 0.01) - upperBound(many, [], 0.01)).toBeCloseTo(Math.log(1.5), 12);
    }
  });

  test("does not fall for added ones that score like the others", () => {
    const alike = normals(20, 0, 0.15, 5);
    expect(Math.abs(upperBound(old, alike, 0.01) - upperBound([...old, ...alike], [], 0.01))).toBeLessThan(0.1);
  });
});

test("added images raise their class's thresholds, and neither its typical score nor the scale of heat", () => {
  const scored = (count: number, factor: number, added: boolean): HeldOut[] =>
    Array.from({ length: count }, (_, i) => ({
      className: "part",
      score: factor * (1 + 0.02 * i),
      peak: 2 * factor * (1 + 0.02 * i),
      ...(added && { added }),
    }));
  const [before, after] = [scored(8, 1, false), [...scored(8, 1, false), ...scored(5, 1.6, true)]].map((all) =>
    calibrationOf(all, 0.01),
  );
  expect(after!.threshold).toBeGreaterThan(before!.threshold);
  expect(after!.pixelThreshold).toBeGreaterThan(before!.pixelThreshold);
  expect(after!.typical).toBe(before!.typical);
  expect(after!.heat).toEqual(before!.heat);
});
