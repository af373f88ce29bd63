import { expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";

const OPTIONS = { size: 64, train: 2, good: 1, defective: 2, seed: 3 };
const DEFECTS = ["scratch", "stain", "missing"];

test("the same seed gives the same pictures, another one others", () => {
  const pictures = (seed: number) =>
    synthesise({ ...OPTIONS, seed }).map(({ train, test: items }) =>
      [...train, ...items].map(({ rgba }) => rgba.join()),
    );
  expect(pictures(3)).toEqual(pictures(3));
  expect(pictures(4)).not.toEqual(pictures(3));
});

test("every class has good pictures, and defective ones of every kind", () => {
  for (const { train, test: items } of synthesise(OPTIONS)) {
    expect(train.map(({ name, defect, mask }) => [name, defect, mask])).toEqual([
      ["000", "good", null],
      ["001", "good", null],
    ]);
    expect(items.map(({ defect }) => defect)).toEqual(["good", ...DEFECTS.flatMap((defect) => [defect, defect])]);
    for (const { rgba } of [...train, ...items]) {
      expect(rgba).toHaveLength(4 * 64 * 64);
      expect(rgba.filter((_, i) => i % 4 === 3)).toEqual(new Uint8Array(64 * 64).fill(255));
    }
  }
});

test("a mask marks what the defect changed, and nothing else changes", () => {
  // The n-th picture of a class shows the same part, defective or not: as many good ones are its twins.
  const [defective, twins] = [
    synthesise({ ...OPTIONS, train: 0, good: 0 }),
    synthesise({ ...OPTIONS, train: DEFECTS.length * OPTIONS.defective, good: 0, defective: 0 }),
  ];
  defective.forEach(({ test: items }, c) => {
    expect(items).toHaveLength(6);
    items.forEach(({ rgba, mask }, n) => {
      const clean = twins[c]!.train[n]!.rgba;
      const change = Uint8Array.from(mask!, (_, at) =>
        Math.max(...[0, 1, 2].map((channel) => Math.abs(rgba[4 * at + channel]! - clean[4 * at + channel]!))),
      );
      expect(mask).toEqual(change.map((by) => (by > 0 ? 1 : 0)));
      expect(Math.max(...change)).toBeGreaterThan(40); // visible
    });
  });
});

test("defects cover 0.3 to 4 percent of the picture, whatever the seed", () => {
  for (let seed = 0; seed < 6; seed++) {
    for (const { mask } of synthesise({ size: 128, train: 0, good: 0, defective: 2, seed }).flatMap(
      ({ test: items }) => items,
    )) {
      const share = mask!.reduce((sum, marked) => sum + marked, 0) / mask!.length;
      expect(share).toBeGreaterThan(0.003);
      expect(share).toBeLessThan(0.04);
    }
  }
});

test("good pictures differ from one another by more than noise", () => {
  for (const { train } of synthesise(OPTIONS)) {
    const difference =
      train[0]!.rgba.reduce((sum, value, i) => sum + Math.abs(value - train[1]!.rgba[i]!), 0) / (3 * 64 * 64);
    expect(difference).toBeGreaterThan(5); // two draws of the noise alone differ by 3.4 on average
  }
});
