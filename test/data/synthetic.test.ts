import { expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";

const OPTIONS = { size: 64, train: 2, good: 1, defective: 2, seed: 3 };

test("the same seed gives the same pictures, another one others", () => {
  const pictures = (seed: number) => synthesise({ ...OPTIONS, seed }).map(({ train, test: items }) => [...train, ...items].map(({ rgba }) => Buffer.from(rgba).toString("base64")));
  expect(pictures(3)).toEqual(pictures(3));
  expect(pictures(4)).not.toEqual(pictures(3));
});

test("every class has good pictures, and defective ones of every kind with small exact masks", () => {
  for (const { train, test: items } of synthesise(OPTIONS)) {
    expect(train.map(({ defect, mask }) => [defect, mask])).toEqual([["good", null], ["good", null]]);
    expect(items.map(({ defect }) => defect)).toEqual(["good", "scratch", "scratch", "stain", "stain", "missing", "missing"]);
    for (const { mask } of items.slice(1)) {
      const share = mask!.reduce((sum, marked) => sum + marked, 0) / mask!.length;
      expect(share).toBeGreaterThan(0.001);
      expect(share).toBeLessThan(0.05);
    }
  }
});

test("good pictures differ from one another", () => {
  const [{ train }] = synthesise(OPTIONS) as [ReturnType<typeof synthesise>[number]];
  expect(Buffer.from(train[0]!.rgba).equals(Buffer.from(train[1]!.rgba))).toBe(false);
});
